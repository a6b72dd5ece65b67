"""The parts of vpk by themselves, from memory: Go benchmarks, in MB/s and beside what the machine can do."""

import pathlib
import re
import statistics
import subprocess

COPY, HASH = "layer.CopyAlone", "layer.SHA256Alone"

ROWS = [  # what, benchmark
    ("lock: parse", "lockfile.Parse"),
    ("lock: parse and select", "lockfile.LockToSelection"),
    ("wheel: index and prove every member, one core", "wheel.Index/parallel=1"),
    ("wheel: the same, two cores", "wheel.Index/parallel=2"),
    ("wheel: inflate alone", "wheel.Inflate"),
    ("inflate: machine code", "internal/inflate.Inflate/code/vpk"),
    ("inflate: the same by klauspost/compress", "internal/inflate.Inflate/code/klauspost"),
    ("inflate: in members of 6 KiB", "internal/inflate.Inflate/small/vpk"),
    ("inflate: the same by klauspost/compress", "internal/inflate.Inflate/small/klauspost"),
    ("layer: compress a segment, gzip", "layer.Segment/gzip"),
    ("layer: compress a segment, zstd", "layer.Segment/zstd"),
    ("layer: the same bytes by gzip, nothing spliced", "layer.GzipAlone"),
    ("layer: splice", "layer.Splice"),
    ("layer: hash a layer of known segments", "layer.Hash"),
    ("layer: read a blob", "layer.Open"),
    ("limit: SHA-256", HASH),
    ("limit: copy in memory", COPY),
]

ABOUT = """## parts

Go benchmarks, each with its input in memory or in the page cache; medians of {}. A MB is of what is read: of a lock its text, of a wheel or
layer its files, of splice and blob their compressed bytes. To hash a layer is to hash it twice, compressed and not, and to inflate what is
spliced.

| | MB/s | of SHA-256 | of a copy |
|---|---|---|---|
"""

LINE = re.compile(r"^Benchmark(\S+?)(?:-\d+)?\s+\d+\s.*?([\d.]+) MB/s", re.M)


def measure(count: int) -> str:
    root = pathlib.Path(__file__).parents[2]
    rates = {}
    for package in ["lockfile", "wheel", "internal/inflate", "layer"]:
        mine = {name.split(".", 1)[1].split("/")[0] for _, name in ROWS if name.startswith(package + ".")}
        said = subprocess.run(
            ["go", "test", "-run", "^$", "-bench", f"^Benchmark({'|'.join(sorted(mine))})$", "-benchtime", "300ms", "-count", str(count), f"./{package}"],
            cwd=root, check=True, capture_output=True, text=True).stdout
        for name, rate in LINE.findall(said):
            rates.setdefault(f"{package}.{name}", []).append(float(rate))
    missing = [name for _, name in ROWS if name not in rates]
    if missing:
        raise ValueError(f"no such benchmarks, or they say no MB/s: {', '.join(missing)}")
    rate = lambda name: statistics.median(rates[name])
    share = lambda name, limit: f"{100 * rate(name) / rate(limit):.0f} %" if 100 * rate(name) / rate(limit) >= 10 else f"{100 * rate(name) / rate(limit):.1f} %"
    return ABOUT.format(count) + "".join(
        f"| {what} | {rate(name):.0f} | {share(name, HASH)} | {share(name, COPY)} |\n" for what, name in ROWS)
