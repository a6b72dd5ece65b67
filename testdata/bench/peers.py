"""The contestants. Each packs a project and pushes the image to a repository, in the situations that it can be in."""

import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import aside
import inputs

FIRST, NEW, SAME, APP, DEPENDENCY, COLD = SITUATIONS = [
    "first build", "new image, wheels and bytecode known", "nothing changed", "app.py changed", "one dependency changed", "cold base"]


class Failed(Exception):
    """A contestant's command did."""


@dataclasses.dataclass
class Cost:
    seconds: float
    own: int = 0  # bytes that the program itself had in memory at the most; 0 where that says nothing
    largest: int = 0  # the same of the largest process among it and those it waited for; 0 where a daemon does the work


def run(argv, log, env=None, cwd=None) -> Cost:
    os.sync()  # What the one before left for the disk is not this one's time.
    result = log.with_name("measured.json")
    result.unlink(missing_ok=True)
    with open(log, "ab") as out:
        measure = [sys.executable, "-I", "-S", pathlib.Path(__file__).with_name("measure.py"), result, *argv]
        subprocess.run([str(a) for a in measure], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd, env={**os.environ, **(env or {})})
    try:
        measured = json.loads(result.read_text())
    except (OSError, ValueError):
        raise Failed(f"{argv[0]} does not start, see {log}") from None
    if measured["code"]:
        raise Failed(f"{' '.join(map(str, argv))}: exit code {measured['code']}, see {log}")
    return Cost(measured["seconds"], measured["own"], measured["largest"])


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
        self.binary, self.prepared, self.edits = binary, prepared, itertools.count()

    def pack(self, place, project, cache):
        return run([self.binary, "pack", project, "--base", place.base, "-t", f"{place.repository}:vpk", "--push", "--quiet"],
                   place.log, {"VPK_CACHE_DIR": str(cache)})

    def warm_up(self, place):
        """A cache that knows the base and nothing of a project."""
        self.pack(place, inputs.empty(place.work / "project"), self.prepared)

    def prepare(self, place, cache):
        """Such a cache in its place. That the base's files are as they were unpacked is seen when they are no longer new."""
        shutil.copytree(self.prepared, cache, symlinks=True)
        time.sleep(2.5)
        project = inputs.empty(place.work / "empty")
        edit(project, next(self.edits))
        self.pack(dataclasses.replace(place, repository=place.repository + "-empty"), project, cache)

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), place.work / "cache"
        self.prepare(place, cache)
        yield FIRST, self.pack(place, project, cache)
        yield SAME, self.pack(place, project, cache)
        edit(project, 1)
        yield APP, self.pack(place, project, cache)
        (project / "uv.lock").write_text(what.bumped)
        yield DEPENDENCY, self.pack(place, project, cache)
        aside.put(cache)
        self.prepare(place, cache)
        self.pack(place, what.other, cache)
        yield NEW, self.pack(place, what.copy(place.work / "project"), cache)
        aside.put(cache)
        yield COLD, self.pack(place, what.directory, cache)


class BuildKit:
    name = "BuildKit"

    def __init__(self, buildctl, address, builder):
        self.buildctl, self.address, self.builder, self.count = buildctl, address, builder, 0

    def warm_up(self, place):
        self.build(place, inputs.empty(place.work / "project"), "warm-up")

    def build(self, place, project, cache, *more):
        (project / "Dockerfile").write_text(inputs.DOCKERFILE.format(builder=self.builder, base=place.base, cache=cache))
        return dataclasses.replace(run([
            self.buildctl, f"--addr={self.address}", "build", "--progress=plain", "--frontend=dockerfile.v0",
            f"--local=context={project}", f"--local=dockerfile={project}",
            f"--output=type=image,name={place.repository}:buildkit,push=true,registry.insecure=true", *more,
        ], place.log), own=0, largest=0)

    def situations(self, place, what: inputs.Input):
        project = what.copy(place.work / "project")
        self.count += 1
        cache = f"{what.name}-{self.count}"
        yield FIRST, self.build(place, project, cache, "--no-cache")
        yield SAME, self.build(place, project, cache)
        edit(project, self.count)
        yield APP, self.build(place, project, cache)
        (project / "uv.lock").write_text(what.bumped)
        yield DEPENDENCY, self.build(place, project, cache)
        yield NEW, self.build(place, what.copy(project), cache, "--no-cache")


class Uv:
    """uv alone: an environment on the disk, no image."""

    def __init__(self, uv, python, bytecode: bool):
        self.name = "uv sync" + (" --compile-bytecode" if bytecode else "")
        self.uv, self.python, self.bytecode = uv, python, bytecode

    def warm_up(self, place):
        self.sync(place, inputs.empty(place.work / "project"), place.work / "cache")

    def sync(self, place, project, cache):
        return run([self.uv, "sync", "--frozen", "--no-dev", "--quiet", "--link-mode=copy", "--python", self.python,
                    "--project", project, *(["--compile-bytecode"] if self.bytecode else [])],
                   place.log, {"UV_CACHE_DIR": str(cache)})

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), place.work / "cache"
        yield FIRST, self.sync(place, project, cache)
        yield SAME, self.sync(place, project, cache)
        aside.put(project / ".venv")
        yield NEW, self.sync(place, project, cache)


class ByHand:
    """uv sync | tar | gzip | crane append."""

    name = "uv, tar, gzip, crane"

    def __init__(self, uv, python, crane):
        self.sync, self.crane = Uv(uv, python, True), crane

    def warm_up(self, place):
        self.build(place, inputs.empty(place.work / "project"), place.work / "cache")

    def append(self, place, project):
        script = 'tar -C "$1" --sort=name --mtime=@0 --owner=65532 --group=65532 --transform="s,^,app/," -c .venv app.py |' \
                 ' gzip -n >"$2" && "$3" append --insecure -b "$4" -f "$2" -t "$5"'
        return run(["bash", "-o", "pipefail", "-ec", script, "append", project, place.work / "layer.tar.gz", self.crane, place.base,
                    f"{place.repository}:hand"], place.log)

    def build(self, place, project, cache):
        costs = [self.sync.sync(place, project, cache), self.append(place, project)]
        return Cost(sum(c.seconds for c in costs), 0, max(c.largest for c in costs))

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), place.work / "cache"
        yield FIRST, self.build(place, project, cache)
        yield SAME, self.build(place, project, cache)
        edit(project, 1)
        yield APP, self.build(place, project, cache)
        (project / "uv.lock").write_text(what.bumped)
        yield DEPENDENCY, self.build(place, project, cache)
        aside.put(project / ".venv")
        yield NEW, self.build(place, what.copy(project), cache)
