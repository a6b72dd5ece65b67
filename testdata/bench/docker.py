"""Docker as a contestant: `docker build` of the tutorial's Dockerfile, by the daemon that answers. It does not push."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import inputs
import peers

LABEL = "vpk-bench"


def quiet(*argv, env=None, timeout=60) -> str:
    """What a command says; "" if it fails or can't be found."""
    try:
        return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(env or {})}).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


class Docker:
    """Of the programs called docker in PATH, the first that builds with BuildKit; without one, the classic builder, without cache mounts."""

    def __init__(self, program, buildkit: bool, base, builder):
        self.program, self.buildkit, self.base, self.builder, self.count = program, buildkit, base, builder, 0
        self.version = quiet(program, "version", "--format", "{{.Server.Version}}")
        self.name = f"Docker, no push{'' if buildkit else ', classic builder'}"
        self.known = self.records()

    def build(self, place, project, text, *more):
        if not self.buildkit:
            text = re.sub(r"--mount=\S+ ", "", text)
        (project / "Dockerfile").write_text(text)
        cost = peers.run([self.program, "build", "--network=host", "--label", LABEL, "--tag", LABEL, *more, project], place.log,
                         {"DOCKER_BUILDKIT": str(int(self.buildkit)), "BUILDKIT_PROGRESS": "plain"})
        return peers.Cost(cost.seconds)

    def dockerfile(self, cache):
        return inputs.DOCKERFILE.format(builder=self.builder, base=self.base, cache=cache)

    def warm_up(self, place):
        self.build(place, inputs.empty(place.work / "project"), self.dockerfile(f"{LABEL}-warm-up"))

    def situations(self, place, what: inputs.Input):
        project, cache = what.copy(place.work / "project"), f"{LABEL}-{what.name}"
        self.count += 1
        if self.buildkit:  # The daemon outlives the run, and with it what is in its cache mounts.
            forget = f'FROM {self.builder}\nSHELL ["/busybox/sh", "-c"]\nUSER root\n' \
                     f"RUN --mount=type=cache,id=uv-{cache},target=/cache/uv rm -rf /cache/uv/* /cache/uv/.[!.]*\n"
            self.build(place, inputs.empty(place.work / "forget"), forget, "--no-cache")
        text = self.dockerfile(cache)
        yield peers.FIRST, self.build(place, project, text, "--no-cache")
        yield peers.SAME, self.build(place, project, text)
        peers.edit(project, self.count)
        yield peers.APP, self.build(place, project, text)
        (project / "uv.lock").write_text(what.bumped)
        yield peers.DEPENDENCY, self.build(place, project, text)
        if self.buildkit:
            yield peers.NEW, self.build(place, what.copy(project), text, "--no-cache")

    def records(self) -> list[str]:
        """The ids of what the daemon's BuildKit has in its cache."""
        said = quiet(self.program, "system", "df", "-v", "--format", "{{json .BuildCache}}")
        try:
            return [r["ID"] for r in json.loads(said) or []]
        except (ValueError, KeyError, TypeError):
            return []

    def clean(self):
        """Takes from the daemon what it has built since this began."""
        quiet(self.program, "image", "rm", "--force", LABEL)
        quiet(self.program, "image", "prune", "--force", "--filter", f"label={LABEL}")
        made = [r for r in self.records() if r not in self.known]
        if made:
            quiet(self.program, "builder", "prune", "--all", "--force", "--filter", f"id=^({'|'.join(made)})$")


def find(base, builder) -> Docker | str:
    """The contestant, or why there is none."""
    programs = [p for p in (shutil.which("docker", path=d) for d in dict.fromkeys(os.get_exec_path())) if p]
    if not programs:
        return "no docker in PATH"
    programs = [p for p in programs if quiet(p, "info", "--format", "{{.ServerVersion}}", timeout=10)]
    if not programs:
        return "no Docker daemon answers"
    with tempfile.TemporaryDirectory() as empty:
        (pathlib.Path(empty) / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        for buildkit in "1", "0":
            for program in programs:
                if quiet(program, "build", "--quiet", "--label", LABEL, "--tag", LABEL, empty, env={"DOCKER_BUILDKIT": buildkit}):
                    return Docker(program, buildkit == "1", base, builder)
    return "docker builds nothing"
