"""bench.py BUILD [--rounds N] [--input NAME] [--only CONTESTANT] [--write FILE]

Packs projects with vpk and with what else does the same, side by side on this machine: wheels from a file server on
loopback, images to a registry on loopback, medians of N rounds, of the example of three times as many. Prints a table of
times, and of how many times as long as vpk each one takes; and packs generated wheels, measures the parts of vpk alone, and
says which goals are met. BUILD is where the tools are (see setup-tests, setup-buildkit) and where everything is made. Who is
not here is left out, which the report says; who fails is left out from then on, and the exit status is 1.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import aside
import docker
import floor
import gobench
import inputs
import peers
import report
import servers
import start
import synthetic

INPUTS = ["example", "scientific", "synthetic", "go"]
FAILURES = peers.Failed, subprocess.SubprocessError, OSError, ValueError
SMALL, LARGE = 300_000_000, 3_000_000_000  # bytes of synthetic files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=100,
                        help="seconds after which a contestant other than vpk begins no further round with an input (default %(default)s)")
    parser.add_argument("--input", action="append", choices=INPUTS, help="default all; go: the benchmarks of vpk's parts")
    parser.add_argument("--only", action="append", help="contestants whose names begin so; default all")
    parser.add_argument("--write", type=pathlib.Path, help="where the tables go, as Markdown")
    args = parser.parse_args()
    args.input = args.input or INPUTS

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # with the servers, as an interrupt does
    bench = Bench(args)
    sections = []
    if set(args.input) - {"go"}:
        with contextlib.ExitStack() as stack:
            bench.serve(stack)
            sections += bench.commands()
    if "go" in args.input:
        sections.append(bench.part("the Go benchmarks", lambda: gobench.measure(args.rounds)))

    text = report.ABOUT + report.machine(bench.versions)
    if bench.left_out:
        text += "\n" + "".join(f"Left out: {what}.\n" for what in bench.left_out)
    text = "\n".join([text, *filter(None, sections)])
    print("\n" + text)
    if args.write:
        args.write.parent.mkdir(exist_ok=True)
        args.write.write_text(text)
    sys.exit(bench.failed)


class Bench:
    def __init__(self, args):
        self.args = args
        self.build = args.build.resolve()
        self.work = self.build / "bench"
        self.run = self.work / "run"
        self.log = self.work / "log"
        self.versions, self.left_out, self.failed = [], [], 0
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        self.log.unlink(missing_ok=True)

    def fail(self, what, err):
        self.failed = 1
        self.left_out.append(f"{what}, which failed ({err})")
        print(f"bench: {what}: {err}", file=sys.stderr, flush=True)

    def serve(self, stack):
        """Starts what all talk to, and decides who takes part."""
        self.wheels = self.work / "wheels"
        self.wheels.mkdir(exist_ok=True)
        self.uv, self.python, self.crane = (os.environ["VPK_TEST_" + n] for n in ("UV", "PYTHON", "CRANE"))
        self.host = stack.enter_context(servers.wheelhouse(self.wheels, self.log))
        self.registry = stack.enter_context(servers.registry(os.environ["VPK_TEST_REGISTRY"], self.run / "registry", self.log))
        self.base = self.push(os.environ["VPK_TEST_BASE12"], "base:nonroot")
        builder = make_builder(self.run, self.crane, self.push(os.environ["VPK_TEST_BASE12_DEBUG"], "builder:base"), self.uv,
                               f"{self.registry}/builder:uv")
        self.versions.append(docker.quiet(self.uv, "--version").split("(")[0].strip())
        self.vpk, self.prepared = self.build / "vpk", self.run / "prepared"
        self.contestants = [peers.Vpk(self.vpk, self.prepared)]

        tools = self.build / "tools" / "buildkit"
        if self.wanted("BuildKit"):
            if (tools / "buildctl").exists():
                try:
                    address = stack.enter_context(servers.buildkit(tools, self.run / "buildkit", self.registry, self.log))
                    self.contestants.append(peers.BuildKit(tools / "buildctl", address, builder))
                    self.versions.append(f"BuildKit {(tools / 'pin').read_text().strip().lstrip('v')}")
                except servers.NotStarted as err:
                    self.fail("BuildKit", err)
            else:
                self.left_out.append("BuildKit, which is not installed (testdata/setup-buildkit)")
        if self.wanted("Docker"):
            found = docker.find(self.base, builder)
            if isinstance(found, str):
                self.left_out.append(f"Docker: {found}")
            else:
                stack.callback(found.clean)
                self.contestants.append(found)
                self.versions.append(f"Docker {found.version}")
        self.contestants += [c for c in (peers.ByHand(self.uv, self.python, self.crane), peers.Uv(self.uv, self.python, True),
                                         peers.Uv(self.uv, self.python, False)) if self.wanted(c.name)]
        for contestant in list(self.contestants):  # vpk's own is needed in any case: it prepares the cache.
            print(f"warm-up: {contestant.name}", flush=True)
            self.attempt(contestant, lambda: contestant.warm_up(self.place(f"warm-up-{self.contestants.index(contestant)}")))
        if not self.wanted("vpk"):
            self.contestants = [c for c in self.contestants if c.name != "vpk"]

    def wanted(self, name):
        return not self.args.only or any(name.startswith(o) for o in self.args.only)

    def push(self, layout, name):
        return subprocess.run([self.crane, "push", "--insecure", layout, f"{self.registry}/{name}"], check=True, capture_output=True,
                              text=True).stdout.strip()

    def place(self, name):
        """An empty directory, and a repository that holds the base and nothing else."""
        place = peers.Place(self.run / "place", f"{self.registry}/{name}", "", self.log)
        aside.put(place.work)
        place.work.mkdir()
        subprocess.run([self.crane, "copy", "--insecure", self.base, f"{place.repository}:base"], check=True, capture_output=True)
        place.base = f"{place.repository}@{self.base.rsplit('@')[1]}"
        return place

    def part(self, name, what):
        """What a part of the report says, "" if it can't be measured."""
        print(name, flush=True)
        try:
            return what() or ""
        except FAILURES as err:
            self.fail(name, err)
            return ""

    def attempt(self, contestant, what):
        """Without vpk there is nothing to compare; anyone else is left out from then on."""
        try:
            what()
        except FAILURES as err:
            if contestant.name == "vpk":
                sys.exit(f"bench: {err}")
            self.fail(contestant.name, err)
            self.contestants.remove(contestant)

    def commands(self):
        sections, results, sets = [], [], []
        demo = pathlib.Path(__file__).parent.parent / "fastapi-demo"
        layout = f"oci:{os.environ['VPK_TEST_BASE12']}"
        for what in inputs.make(self.run, demo, self.uv, self.python, self.wheels, self.host, self.args.input):
            r = self.project(what)
            results.append(r)
            self.part(f"{what.name}: the floor", lambda: r.compiled(*floor.measure(self.vpk, what.directory, layout, self.directory("floor"), 3)))
            sections.append(r.table())
            if what.name == "example":
                sections.append(self.part("example: how it starts", lambda: start.measure(self.vpk, what.directory, layout, self.directory("start"), 7)))
        if "synthetic" in self.args.input:
            for total in SMALL, LARGE:
                self.part(f"synthetic, {total / 1e9:.1f} GB", lambda: sets.append(synthetic.measure(
                    self.vpk, self.wheels, self.host, self.place(f"synthetic-{total}"), self.prepared, total, self.args.rounds, self.args.budget)))
            if sets:
                sections.append(report.synthetic_table(sets))
        return [report.goals(results, sets), *sections]

    def directory(self, name):
        (self.run / name).mkdir()
        return self.run / name

    def project(self, what):
        """All contestants in turn, so often."""
        r = report.Results(what.name, [c.name for c in self.contestants])
        servers.read(what.bumped, self.wheels)
        servers.read((what.other / "uv.lock").read_text(), self.wheels)
        spent = dict.fromkeys(r.names, 0.0)
        rounds = self.args.rounds * what.often
        for number in range(rounds):
            aside.clear(self.run)
            for at, contestant in enumerate(list(self.contestants)):
                name = contestant.name
                if number and name != "vpk" and spent[name] > self.args.budget:
                    continue

                def attend():
                    place = self.place(f"{what.name}-{at}-{number}")
                    for situation, cost in contestant.situations(place, what):
                        r.note(name, situation, cost)
                        print(f"{what.name} {number + 1}/{rounds}: {name}: {situation}: {cost.seconds:.2f} s", flush=True)
                    r.images[name] = image_size(place.repository, self.base)

                began = time.monotonic()
                self.attempt(contestant, attend)
                spent[name] += time.monotonic() - began
        return r


def make_builder(work, crane, base, uv, name):
    """The builder image: the debug base, which has a shell, and uv."""
    layer = work / "uv.tar"
    subprocess.run(["tar", "-C", pathlib.Path(uv).resolve().parent, "--transform=s,^,usr/local/bin/,", "-cf", layer, "uv"], check=True)
    subprocess.run([crane, "append", "--insecure", "-b", base, "-f", layer, "-t", name], check=True, capture_output=True)
    return name


def image_size(repository, base):
    """Bytes of the compressed layers over the base's, of the image that was pushed last."""
    host, name = repository.split("/")

    def layers(reference):
        request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{reference}", headers={
            "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)["layers"]

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{host}/v2/{name}/tags/list") as answer:
        tags = [t for t in json.load(answer)["tags"] if t != "base"]
    return sum(l["size"] for l in layers(tags[0])[len(layers("base")):]) if tags else 0


if __name__ == "__main__":
    main()
