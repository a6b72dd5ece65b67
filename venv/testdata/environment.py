"""Reads the environment of the interpreter that runs it, as programs do, and prints what it finds as JSON.

distributions: of each its name, version, requirements, entry points and who installed it, as importlib.metadata has them.
faults: what is not as the RECORDs of the distributions say: files that are missing, outside the environment, of another
size or hash, listed twice, or listed nowhere. Bytecode need not be listed, nor the environment's own files.
"""

import base64
import hashlib
import importlib.metadata
import json
import os
import sys

prefix = os.path.realpath(sys.prefix)
distributions, faults, listed = [], [], {}


def hash_of(path, algorithm):
    h = hashlib.new(algorithm)
    with open(path, "rb") as f:
        for chunk in iter(lambda: f.read(1 << 20), b""):
            h.update(chunk)
    return base64.urlsafe_b64encode(h.digest()).rstrip(b"=").decode()


def entry_points(d):
    try:
        return sorted(f"[{e.group}] {e.name} = {e.value}" for e in d.entry_points)
    except TypeError as e:  # lines without a delimiter
        return [f"unreadable: {e}"]


for d in importlib.metadata.distributions():
    name = d.metadata["Name"]
    distributions.append({
        "name": name,
        "version": d.version,
        "requires": sorted(d.requires or []),
        "entry_points": entry_points(d),
        "direct_url": d.read_text("direct_url.json") or "",
    })
    own = set()
    for row in d.files:
        # Links are resolved in the directory alone: lib64 is one, and no file is.
        given = os.path.join(d.locate_file("."), *row.parts)
        path = os.path.join(os.path.realpath(os.path.dirname(given)), os.path.basename(given))
        where = os.path.relpath(path, prefix)
        if path in own:
            faults.append(f"{name}: {where}: listed twice")
        own.add(path)
        if not path.startswith(prefix + os.sep):
            faults.append(f"{name}: {row}: outside the environment")
        elif not os.path.isfile(path):
            faults.append(f"{name}: {where}: missing")
        elif row.size is not None and row.size != os.path.getsize(path):
            faults.append(f"{name}: {where}: size is not {row.size}")
        elif row.hash and row.hash.value != hash_of(path, row.hash.mode):
            faults.append(f"{name}: {where}: {row.hash.mode} is not {row.hash.value}")
    for path in own:
        listed.setdefault(path, name)

version = "python%d.%d" % sys.version_info[:2]
skeleton = {os.path.join(prefix, p) for p in ("pyvenv.cfg", "lib64", "bin/python", "bin/python3", "bin/" + version)}
signatures = ("RECORD.jws", "RECORD.p7s")
for directory, _, files in os.walk(prefix):
    for file in files:
        path = os.path.join(directory, file)
        bytecode = os.path.basename(directory) == "__pycache__" and file.endswith(".pyc")
        if path not in listed and path not in skeleton and not bytecode and file not in signatures:
            faults.append(f"{os.path.relpath(path, prefix)}: of no distribution")

distributions.sort(key=lambda d: d["name"])
json.dump({"distributions": distributions, "faults": sorted(faults)}, sys.stdout)
