"""bench.py BUILD [--rounds N] [--input NAME] [--only CONTESTANT] [--write FILE]

Packs two projects with vpk and with what else does the same, side by side on this machine: wheels from a file server on
loopback, images to a registry on loopback, medians of N rounds. Prints a table of times, and of how many times as long as
vpk each one takes. BUILD is where the tools are (see setup-tests, setup-buildkit) and where everything is made.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import urllib.request

import inputs
import peers
import servers
import start

SITUATIONS = ["first build", "new image, wheels and bytecode known", "nothing changed", "app.py changed", "one dependency changed",
              "cold base"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--input", action="append", help="example, scientific; default both")
    parser.add_argument("--only", action="append", help="contestants; default all")
    parser.add_argument("--write", type=pathlib.Path, help="where the tables go, as Markdown")
    args = parser.parse_args()
    build = args.build.resolve()
    work = build / "bench"
    shutil.rmtree(work / "run", ignore_errors=True)
    (work / "run").mkdir(parents=True)
    (work / "wheels").mkdir(exist_ok=True)
    log = work / "log"
    log.unlink(missing_ok=True)
    uv, python, crane = (os.environ["VPK_TEST_" + n] for n in ("UV", "PYTHON", "CRANE"))
    demo = pathlib.Path(__file__).parent.parent / "fastapi-demo"

    with contextlib.ExitStack() as stack:
        host = stack.enter_context(servers.wheelhouse(work / "wheels", log))
        registry = stack.enter_context(servers.registry(os.environ["VPK_TEST_REGISTRY"], work / "run" / "registry", log))
        address = stack.enter_context(servers.buildkit(build / "tools" / "buildkit", work / "run" / "buildkit", registry, log))

        push = lambda layout, name: subprocess.run(
            [crane, "push", "--insecure", layout, f"{registry}/{name}"], check=True, capture_output=True, text=True).stdout.strip()
        base = push(os.environ["VPK_TEST_BASE12"], "base:nonroot")
        builder = make_builder(work / "run", crane, push(os.environ["VPK_TEST_BASE12_DEBUG"], "builder:base"), uv, f"{registry}/builder:uv")

        contestants = [
            peers.Vpk(build / "vpk", work / "run" / "prepared"),
            peers.BuildKit(build / "tools" / "buildkit" / "buildctl", address, builder),
            peers.ByHand(uv, python, crane),
            peers.Uv(uv, python, True),
            peers.Uv(uv, python, False),
        ]
        contestants = [c for c in contestants if not args.only or c.name in args.only]
        text = [header(args.rounds, uv)]
        for what in inputs.make(work / "run", demo, uv, python, work / "wheels", host):
            if args.input and what.name not in args.input:
                continue
            costs = {}
            images = {}
            for number in range(args.rounds):
                for contestant in contestants:
                    place = peers.Place(work / "run" / "place", f"{registry}/{what.name}-{contestants.index(contestant)}-{number}", "", log)
                    shutil.rmtree(place.work, ignore_errors=True)
                    place.work.mkdir()
                    subprocess.run([crane, "copy", "--insecure", base, f"{place.repository}:base"], check=True, capture_output=True)
                    place.base = f"{place.repository}@{base.rsplit('@')[1]}"
                    for situation, cost in contestant.situations(place, what):
                        costs.setdefault((contestant.name, situation), []).append(cost)
                        print(f"{what.name} {number + 1}/{args.rounds}: {contestant.name}: {situation}: {cost.seconds:.2f} s", flush=True)
                    images[contestant.name] = image_size(place.repository, base)
            text.append(table(what, [c.name for c in contestants], costs, images))
            if what.name == "example":
                place = work / "run" / "start"
                place.mkdir()
                text.append(start.measure(build / "vpk", what.directory, f"oci:{os.environ['VPK_TEST_BASE12']}", place, 7))
    report = "\n".join(text)
    print("\n" + report)
    if args.write:
        args.write.parent.mkdir(exist_ok=True)
        args.write.write_text(report)


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


ABOUT = """# Benchmarks

Whole commands, side by side in one run: `make bench` repeats it (`make bench ROUNDS=5` for better medians). Both projects are locked when the
bench is run. Wheels come from a file server and images go to a registry, both on loopback; the base is in the registry. A first build
begins without wheels and bytecode, but knows the base, as BuildKit does; \"new image\" is a project whose dependencies, and one more, were
packed before as another project. BuildKit builds the tutorial's Dockerfile. Figures in brackets: how many times as long as vpk.
vpk's layers hold the standard library's bytecode too (4.7 MB, one layer for all images on a base), the others' do not. The largest
process is vpk or uv itself or one that compiles.

"""


def header(rounds, uv):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    version = subprocess.run([uv, "--version"], check=True, capture_output=True, text=True).stdout.split("(")[0].strip()
    return ABOUT + f"Measured on {os.cpu_count()} × {cpu}, Linux {platform.release()}; {version}, BuildKit 0.34.2; medians of {rounds}.\n"


def seconds(value):
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def table(what, names, costs, images):
    median = lambda name, situation: statistics.median(c.seconds for c in costs[name, situation])
    lines = [f"## {what.name}\n", "| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for situation in SITUATIONS:
        cells = []
        for name in names:
            if (name, situation) not in costs:
                cells.append("")
                continue
            value, cell = median(name, situation), ""
            if name != names[0] and (names[0], situation) in costs:
                cell = f" ({value / median(names[0], situation):.1f}×)"
            cells.append(seconds(value) + cell)
        lines.append(f"| {situation} | " + " | ".join(cells) + " |")
    peak = lambda name: max((c.peak for (n, _), cs in costs.items() if n == name for c in cs), default=0)
    lines.append("| largest process | " + " | ".join(f"{peak(n) / 1e6:.0f} MB" if peak(n) else "" for n in names) + " |")
    lines.append("| layers over the base | " + " | ".join(f"{images[n] / 1e6:.1f} MB" if images[n] else "" for n in names) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
