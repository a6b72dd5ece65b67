"""What is measured, as Markdown."""

import dataclasses
import os
import platform
import statistics

import peers
import synthetic

VPK, BUILDKIT, COMPILING = "vpk", "BuildKit", "uv sync --compile-bytecode"

ABOUT = """# Benchmarks

Whole commands, side by side in one run: `make bench` repeats it, `make bench ROUNDS=5` for better medians; `make bench-go` measures the parts
alone. The bench takes some twenty to thirty minutes, and 10 GB below `build`. The example has three times as many rounds; who has had a
hundred seconds with a project begins no further round with it.
The projects are locked when the bench is run, and the synthetic wheels are generated. Wheels come from a file server and images go to a
registry, both on loopback; the base is in the registry. Everyone packs an empty project first, and the wheels are read once. A first build
begins without wheels and bytecode, but knows the base and has seen it before, as BuildKit does; "new image" is a project whose dependencies, and one more, were
packed before as another project. BuildKit and Docker build the tutorial's Dockerfile. Figures in brackets: how many times as long as vpk.
vpk's layers hold the standard library's bytecode too (one layer for all images on a base), the others' do not. The largest process is the
program itself or one that it waited for, such as one that compiles.

"""


def seconds(value):
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def megabytes(value):
    return f"{value / 1e6:.0f} MB" if value else ""


def row(*cells):
    return "| " + " | ".join(cells) + " |"


@dataclasses.dataclass
class Results:
    """What was measured of one project."""

    name: str
    names: list[str]  # of contestants
    costs: dict = dataclasses.field(default_factory=dict)  # by contestant and situation, lists of costs
    images: dict = dataclasses.field(default_factory=dict)  # bytes over the base, by contestant
    modules: int = 0
    compiling: float = 0  # seconds of a processor

    def note(self, name, situation, cost):
        self.costs.setdefault((name, situation), []).append(cost)

    def compiled(self, modules, seconds):
        self.modules, self.compiling = modules, seconds

    def median(self, name, situation) -> float:
        """Seconds, 0 if it was not measured."""
        return statistics.median(c.seconds for c in self.costs[name, situation]) if (name, situation) in self.costs else 0

    def ratio(self, name, situation) -> float:
        """How many times as long as vpk, 0 if one of the two was not measured."""
        mine = self.median(VPK, situation)
        return self.median(name, situation) / mine if mine else 0

    def peak(self, name, of) -> int:
        return max((getattr(c, of) for (n, _), cs in self.costs.items() if n == name for c in cs), default=0)

    def floor(self) -> float:
        """Seconds that compiling takes with all processors at work."""
        return self.compiling / os.cpu_count()

    def table(self) -> str:
        lines = [f"## {self.name}\n", row("", *self.names), "|---" * (len(self.names) + 1) + "|"]
        for situation in peers.SITUATIONS:
            cells = []
            for name in self.names:
                value, ratio = self.median(name, situation), self.ratio(name, situation)
                cells.append((seconds(value) if value else "") + (f" ({ratio:.1f}×)" if ratio and name != VPK else ""))
            lines.append(row(situation, *cells))
        lines.append(row("rounds", *(str(len(self.costs.get((n, peers.FIRST), []))) for n in self.names)))
        lines.append(row("memory, the program itself", *(megabytes(self.peak(n, "own")) for n in self.names)))
        lines.append(row("memory, the largest process", *(megabytes(self.peak(n, "largest")) for n in self.names)))
        lines.append(row("layers over the base", *(f"{self.images[n] / 1e6:.1f} MB" if self.images.get(n) else "" for n in self.names)))
        text = "\n".join(lines) + "\n"
        if self.compiling:
            first = self.median(VPK, peers.FIRST)
            text += f"\nThe floor: to compile the {self.modules} modules takes the base's interpreter {seconds(self.compiling)} of a processor, " \
                    f"{seconds(self.floor())} on {os.cpu_count()}." + \
                    (f" vpk's first build takes {first / self.floor():.2f} times as long.\n" if first else "\n")
        return text


SYNTHETIC = """## synthetic

{}. Packed without bytecode; half of each set's content is incompressible. Seconds are until everything is on the disk,
MB/s are of the wheels' bytes. SHA-256 is one pass of one processor over the page cache. "New image" finds its layers in the cache; to push it is to ask the registry for them.

"""


def synthetic_table(sets: list[synthetic.Set]) -> str:
    about = "; ".join(f"{s.count} wheels of {s.size / 1e6:.0f} MB with {s.content / 1e6:.0f} MB of files" for s in sets)
    size = lambda s: f"{s.content / 1e9:.1f} GB"
    lines = [row("", *(size(s) for s in sets)), "|---" * (len(sets) + 1) + "|"]
    for name in synthetic.ROWS:
        lines.append(row(name, *(f"{seconds(s.seconds(name))}, {s.size / 1e6 / s.seconds(name):.0f} MB/s" for s in sets)))
    lines.append(row("rounds", *(str(len(s.costs[synthetic.COPY])) for s in sets)))
    lines.append(row("memory of vpk itself", *(megabytes(s.peak()) for s in sets)))
    return SYNTHETIC.format(about) + "\n".join(lines) + "\n"


def goals(results: list[Results], sets: list[synthetic.Set]) -> str:
    """What is wanted, beside what was measured in this run."""
    lines = ["## goals\n", row("goal", "measured", ""), "|---|---|---|"]

    def goal(text, value, met, shown):
        lines.append(row(text, shown if value else "not measured", ("met" if met else "**not met**") if value else ""))

    for r in results:
        wanted = [(peers.FIRST, {"example": 3, "scientific": 2.5}[r.name]), (peers.NEW, 10), (peers.SAME, 1), (peers.APP, 3)]
        for situation, least in wanted:
            ratio = r.ratio(BUILDKIT, situation)
            goal(f"{r.name}, {situation}: BuildKit takes at least {least}× as long", ratio, ratio >= least, f"{ratio:.1f}×")
        both = {s: ratio for s in peers.SITUATIONS if (ratio := r.ratio(COMPILING, s))}
        worst = min(both, key=both.get, default="")
        goal(f"{r.name}: in no situation slower than `{COMPILING}` alone", worst, worst and both[worst] >= 1,
             worst and f"it takes {both[worst]:.2f}× as long as vpk, {worst}")
        if r.name == "scientific":
            first = r.median(VPK, peers.FIRST) if r.compiling else 0
            factor = first / r.floor() if first else 0
            goal(f"{r.name}, {peers.FIRST}: at most 1.15× the processor time of compiling, divided by processors", factor, factor <= 1.15, f"{factor:.2f}×")
        peak = r.peak(VPK, "own")
        goal(f"{r.name}: vpk itself under 250 MB of memory", peak, peak < 250e6, megabytes(peak))
    for s in sets:
        goal(f"synthetic, {s.content / 1e9:.1f} GB: vpk itself under 250 MB of memory", s.peak(), s.peak() < 250e6, megabytes(s.peak()))
    if len(sets) > 1:
        less, more = sets[0], sets[-1]
        growth, times = more.peak() / less.peak(), more.content / less.content
        goal(f"synthetic: flat memory, at most 1.25× for {times:.0f}× the wheels", growth, growth <= 1.25, f"{growth:.2f}×")
    for s in sets[-1:]:
        factor = s.seconds(synthetic.NEW_LAYOUT) / s.seconds(synthetic.COPY)
        goal("synthetic: near the disk, a new image takes at most 1.5× as long as `cp` of the wheels", factor, factor <= 1.5, f"{factor:.2f}×")
    return "\n".join(lines) + "\n"


def machine(versions: list[str]) -> str:
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"Measured on {os.cpu_count()} × {cpu}, Linux {platform.release()}; {', '.join(versions)}.\n"
