"""The contestants. Each packs a project and pushes the image to a repository, in the situations that it can be in."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import time

import inputs


@dataclasses.dataclass
class Cost:
    seconds: float
    peak: int = 0  # bytes of the largest process that was waited for; 0 where a daemon does the work


def run(argv, log, env=None, cwd=None) -> Cost:
    os.sync()  # What the one before left for the disk is not this one's time.
    with open(log, "ab") as out:
        start = time.monotonic()
        process = subprocess.Popen([str(a) for a in argv], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd,
                                   env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, argv))}: exit code {process.returncode}, see {log}")
    return Cost(took, usage.ru_maxrss * 1024)


def edit(project: pathlib.Path, count: int):
    with open(project / "app.py", "a") as f:
        f.write(f"\n# Edit {count}.\n")


@dataclasses.dataclass
class Place:
    """Where a run of one contestant works and pushes."""

    work: pathlib.Path
    repository: str  # holds the base already
    base: str  # reference by digest in that repository
    log: pathlib.Path


class Vpk:
    name = "vpk"

    def __init__(self, binary, prepared):
        self.binary, self.prepared = binary, prepared

    def pack(self, place, project, cache):
        return run([self.binary, "pack", project, "--base", place.base, "-t", f"{place.repository}:vpk", "--push", "--quiet"],
                   place.log, {"VPK_CACHE_DIR": str(cache)})

    def prepare(self, place, project):
        """A cache that knows the base and nothing of the project."""
        empty = place.work / "empty"
        empty.mkdir(parents=True)
        (empty / "pyproject.toml").write_text('[project]\nname = "empty"\nversion = "1"\nrequires-python = ">=3.11"\n')
        (empty / "uv.lock").write_text('version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n[[package]]\nname = "empty"\nversion = "1"\nsource = { virtual = "." }\n')
        (empty / "app.py").write_text("")
        self.pack(place, empty, self.prepared)
        shutil.rmtree(empty)

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), place.work / "cache"
        if not self.prepared.exists():
            self.prepare(place, project)
        shutil.copytree(self.prepared, cache, symlinks=True)
        yield "first build", self.pack(place, project, cache)
        yield "nothing changed", self.pack(place, project, cache)
        edit(project, 1)
        yield "app.py changed", self.pack(place, project, cache)
        (project / "uv.lock").write_text(what.bumped)
        yield "one dependency changed", self.pack(place, project, cache)
        shutil.rmtree(cache)
        shutil.copytree(self.prepared, cache, symlinks=True)
        self.pack(place, what.other, cache)
        yield "new image, wheels and bytecode known", self.pack(place, what.copy(place.work / "project"), cache)
        shutil.rmtree(cache)
        yield "cold base", self.pack(place, what.directory, cache)
        shutil.rmtree(cache)


class BuildKit:
    name = "BuildKit"

    def __init__(self, buildctl, address, builder):
        self.buildctl, self.address, self.builder, self.count = buildctl, address, builder, 0

    def build(self, place, project, cache, *more):
        (project / "Dockerfile").write_text(inputs.DOCKERFILE.format(builder=self.builder, base=place.base, cache=cache))
        return dataclasses.replace(run([
            self.buildctl, f"--addr={self.address}", "build", "--progress=plain", "--frontend=dockerfile.v0",
            f"--local=context={project}", f"--local=dockerfile={project}",
            f"--output=type=image,name={place.repository}:buildkit,push=true,registry.insecure=true", *more,
        ], place.log), peak=0)

    def situations(self, place, what: inputs.Input):
        project = what.copy(place.work / "project")
        self.count += 1
        if self.count == 1:
            self.build(place, project, "warm-up")
        cache = f"{what.name}-{self.count}"
        yield "first build", self.build(place, project, cache, "--no-cache")
        yield "nothing changed", self.build(place, project, cache)
        edit(project, self.count)
        yield "app.py changed", self.build(place, project, cache)
        (project / "uv.lock").write_text(what.bumped)
        yield "one dependency changed", self.build(place, project, cache)
        yield "new image, wheels and bytecode known", self.build(place, what.copy(project), cache, "--no-cache")


class Uv:
    """uv alone: an environment on the disk, no image."""

    def __init__(self, uv, python, bytecode: bool):
        self.name = "uv sync" + (" --compile-bytecode" if bytecode else "")
        self.uv, self.python, self.bytecode = uv, python, bytecode

    def sync(self, place, project, cache):
        return run([self.uv, "sync", "--frozen", "--no-dev", "--quiet", "--link-mode=copy", "--python", self.python,
                    "--project", project, *(["--compile-bytecode"] if self.bytecode else [])],
                   place.log, {"UV_CACHE_DIR": str(cache)})

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), place.work / "cache"
        yield "first build", self.sync(place, project, cache)
        yield "nothing changed", self.sync(place, project, cache)
        shutil.rmtree(project / ".venv")
        yield "new image, wheels and bytecode known", self.sync(place, project, cache)
        shutil.rmtree(cache)


class ByHand:
    """uv sync | tar | gzip | crane append."""

    name = "uv, tar, gzip, crane"

    def __init__(self, uv, python, crane):
        self.sync, self.crane = Uv(uv, python, True), crane

    def append(self, place, project):
        script = 'tar -C "$1" --sort=name --mtime=@0 --owner=65532 --group=65532 --transform="s,^,app/," -c .venv app.py |' \
                 ' gzip -n >"$2" && "$3" append --insecure -b "$4" -f "$2" -t "$5"'
        return run(["bash", "-o", "pipefail", "-ec", script, "append", project, place.work / "layer.tar.gz", self.crane, place.base,
                    f"{place.repository}:hand"], place.log)

    def build(self, place, project, cache):
        costs = [self.sync.sync(place, project, cache), self.append(place, project)]
        return Cost(sum(c.seconds for c in costs), max(c.peak for c in costs))

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), place.work / "cache"
        yield "first build", self.build(place, project, cache)
        yield "nothing changed", self.build(place, project, cache)
        edit(project, 1)
        yield "app.py changed", self.build(place, project, cache)
        (project / "uv.lock").write_text(what.bumped)
        yield "one dependency changed", self.build(place, project, cache)
        shutil.rmtree(project / ".venv")
        yield "new image, wheels and bytecode known", self.build(place, what.copy(project), cache)
        shutil.rmtree(cache)
