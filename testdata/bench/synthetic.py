"""A generated set of wheels: whether memory stays the same however large they are, and how near the disk vpk comes.

A set has a third of its bytes in one wheel with files of hundreds of megabytes that nothing compresses, a third in four wheels of some large
files, half of them text, and a third in a hundred wheels of two hundred modules of text each. A smaller set has as many files, which are smaller. It is generated once, from fixed seeds, into the directory of the file server.
"""

import base64
import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import random
import shutil
import statistics
import time
import zipfile

import peers

FORMAT = 1  # of what is generated: another one is generated anew
CHUNK = 1 << 20


@dataclasses.dataclass
class Wheel:
    file: str
    sha256: str
    size: int  # of the archive
    content: int  # of its files

    @property
    def package(self):
        return self.file.split("-")[0]


def noise(rng, size):
    """Bytes that nothing compresses."""
    while size:
        n = min(size, CHUNK)
        yield rng.randbytes(n)
        size -= n


@functools.cache
def vocabulary():
    """Lines of code, more than deflate's window holds."""
    rng = random.Random("vocabulary")
    words = [f"{rng.getrandbits(28):x}" for _ in range(600)]
    return [f"    {rng.choice(words)} = self.{rng.choice(words)}({rng.choice(words)}, {rng.randrange(1000)})\n".encode() for _ in range(4096)]


def prose(rng, size):
    """Text that compresses as sources do."""
    while size:
        text = b"".join(rng.choices(vocabulary(), k=min(size, CHUNK) // 32 + 1))[:size]
        yield text
        size -= len(text)


def files(kind, rng, total):
    """Names, sizes and makers of the files of a wheel."""
    if kind == "giant":
        return [("half.bin", total // 2, noise), ("quarter.bin", total // 4, noise), ("rest.bin", total // 4, noise)]
    if kind == "large":
        return [(f"large{n}.bin", total // 8, noise if n < 4 else prose) for n in range(8)]
    shares = [rng.randrange(1, 9) for _ in range(200)]
    return [(f"m{n:03}.py", total * share // sum(shares), prose) for n, share in enumerate(shares)]


def generate(directory: pathlib.Path, kind: str, package: str, total: int) -> Wheel:
    """A wheel in a directory of its digest, as the file server has them."""
    rng = random.Random(f"{FORMAT} {package} {total}")
    file = f"{package}-1-py3-none-any.whl"
    part = directory / f"{file}.{total}.part"
    record = []

    def add(archive, name, chunks):
        info = zipfile.ZipInfo(name)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
        digest, size = hashlib.sha256(), 0
        with archive.open(info, "w", force_zip64=True) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        record.append(f"{name},sha256={base64.urlsafe_b64encode(digest.digest()).decode().rstrip('=')},{size}\n")

    with zipfile.ZipFile(part, "w") as archive:
        for name, size, make in files(kind, rng, total):
            add(archive, f"{package}/{name}", make(rng, size))
        info = f"{package}-1.dist-info"
        add(archive, f"{info}/METADATA", [f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n".encode()])
        add(archive, f"{info}/WHEEL", [b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"])
        archive.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    with open(part, "rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    (directory / digest).mkdir(exist_ok=True)
    wheel = Wheel(file, digest, part.stat().st_size, total)
    os.rename(part, directory / digest / file)
    return wheel


def wheels(directory: pathlib.Path, total: int) -> list[Wheel]:
    """The set of so many bytes of content, and a wheel more, the last."""
    known = directory / f"synthetic-{FORMAT}-{total}.json"
    if known.exists():
        have = [Wheel(**w) for w in json.loads(known.read_text())]
        if all((directory / w.sha256 / w.file).exists() for w in have):
            return have
    third = total // 3
    jobs = [("giant", "giant", third)]
    jobs += [("large", f"large{n}", third // 4) for n in range(4)]
    jobs += [("small", f"small{n:03}", third // 100) for n in range(100)]
    jobs += [("small", "more", third // 1000)]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        have = list(pool.map(generate, [directory] * len(jobs), *zip(*jobs)))
    known.write_text(json.dumps([dataclasses.asdict(w) for w in have]))
    return have


def project(directory: pathlib.Path, host: str, dependencies: list[Wheel]) -> pathlib.Path:
    """A project with these dependencies, and its lock."""
    directory.mkdir(parents=True)
    names = sorted((w.package, w) for w in dependencies)
    listed = "".join(f'    "{name}",\n' for name, _ in names)
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "synthetic"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [\n{listed}]\n\n[tool.vpk]\ncmd = ["python"]\n')
    (directory / "app.py").write_text("")
    lock = ['version = 1\nrevision = 3\nrequires-python = ">=3.11"\n', '[[package]]\nname = "synthetic"\nversion = "1"\nsource = { virtual = "." }',
            "dependencies = [", *(f'    {{ name = "{name}" }},' for name, _ in names), "]\n", "[package.metadata]", "requires-dist = [",
            *(f'    {{ name = "{name}" }},' for name, _ in names), "]\n"]
    for name, w in names:
        lock.append(f'[[package]]\nname = "{name}"\nversion = "1"\nsource = {{ registry = "{host}/simple" }}\nwheels = [\n'
                    f'    {{ url = "{host}/{w.sha256}/{w.file}", hash = "sha256:{w.sha256}", size = {w.size} }},\n]\n')
    (directory / "uv.lock").write_text("\n".join(lock))
    return directory


COPY, HASH = "cp of the wheels", "SHA-256 of the wheels"
FIRST_LAYOUT, NEW_LAYOUT = "first build, -o oci:DIR", "new image, wheels known, -o oci:DIR"
FIRST_PUSH, NEW_PUSH = "first build, --push", "new image, wheels known, --push"
ROWS = [FIRST_LAYOUT, NEW_LAYOUT, FIRST_PUSH, NEW_PUSH, COPY, HASH]


@dataclasses.dataclass
class Set:
    size: int  # of the archives
    content: int
    count: int
    costs: dict  # by row, lists of costs

    def seconds(self, row):
        return statistics.median(c.seconds for c in self.costs[row])

    def peak(self):
        """Bytes of vpk itself."""
        return max(c.own for row, costs in self.costs.items() for c in costs if row not in (COPY, HASH))


def measure(vpk, directory: pathlib.Path, host: str, place: peers.Place, prepared: pathlib.Path, total: int, rounds: int, budget: float) -> Set:
    """Packs the set without bytecode, to a layout and to a registry, and copies and hashes its wheels. Times are until all is on the disk."""
    *own, more = wheels(directory, total)
    paths = [directory / w.sha256 / w.file for w in own]
    result = Set(sum(w.size for w in own), sum(w.content for w in own), len(own), {})

    def note(row, cost):
        result.costs.setdefault(row, []).append(cost)
        print(f"synthetic, {total / 1e9:.1f} GB: {row}: {cost.seconds:.2f} s", flush=True)

    def settled(cost):
        start = time.monotonic()
        os.sync()
        return dataclasses.replace(cost, seconds=cost.seconds + time.monotonic() - start)

    def pack(cache, what, to):
        return settled(peers.run([vpk, "pack", what, "--base", place.base, "--no-bytecode", "--quiet", *to], place.log, {"VPK_CACHE_DIR": str(cache)}))

    began = time.monotonic()
    for number in range(rounds):
        if number and time.monotonic() - began > budget:
            break
        shutil.rmtree(place.work, ignore_errors=True)
        place.work.mkdir()
        this, other = project(place.work / "this", host, own), project(place.work / "other", host, [*own, more])
        cache, layout, registry = place.work / "cache", place.work / "image", f"{place.repository}-{number}"

        start = time.monotonic()
        for path in paths:
            with open(path, "rb") as f:
                hashlib.file_digest(f, "sha256")
        note(HASH, peers.Cost(time.monotonic() - start))
        copies = place.work / "copies"
        copies.mkdir()
        note(COPY, settled(peers.run(["cp", "--reflink=never", "--target-directory", copies, *paths], place.log)))
        shutil.rmtree(copies)
        for first, new, to in (FIRST_LAYOUT, NEW_LAYOUT, ["-o", f"oci:{layout}"]), (FIRST_PUSH, NEW_PUSH, ["--push", "-t"]):
            for row, before in (first, None), (new, other):
                shutil.copytree(prepared, cache, symlinks=True)
                if before:
                    pack(cache, before, to if to[0] == "-o" else [*to, f"{registry}-new:vpk"])
                    shutil.rmtree(layout, ignore_errors=True)
                note(row, pack(cache, this, to if to[0] == "-o" else [*to, f"{registry}-{'new' if before else 'first'}:vpk"]))
                shutil.rmtree(cache)
                shutil.rmtree(layout, ignore_errors=True)
    shutil.rmtree(place.work, ignore_errors=True)
    return result
