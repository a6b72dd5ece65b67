"""How much processor time it takes to compile a project's modules and nothing else: what no packer with bytecode can be under."""

import os
import pathlib
import shutil
import statistics
import subprocess

# Sources are read before the clock starts, nothing is written, and garbage is not looked for.
PROGRAM = """
import gc, marshal, os, time
paths = sorted(os.path.join(d, f) for d, _, files in os.walk("/app") for f in files if f.endswith(".py"))
sources = [(p, open(p, "rb").read()) for p in paths]
print(len(sources))
gc.disable()
began = time.process_time()
for _ in range(%d):
    start = time.process_time()
    for path, source in sources:
        try:
            marshal.dumps(compile(source, path, "exec", dont_inherit=True))
        except (SyntaxError, ValueError):
            pass
    print(time.process_time() - start)
    if time.process_time() - began > 15:
        break
"""


def measure(vpk, project: pathlib.Path, base: str, work: pathlib.Path, times: int) -> tuple[int, float]:
    """Modules, and seconds: the median of some passes, one where a pass takes long. The base's own interpreter compiles."""
    env = {**os.environ, "VPK_CACHE_DIR": str(work / "cache")}
    image = f"oci:{work / 'image'}"
    subprocess.run([vpk, "pack", project, "--base", base, "-o", image, "--no-bytecode", "--quiet"], env=env, check=True, capture_output=True)
    said = subprocess.run([vpk, "run", image, "--quiet", "--", "python", "-W", "ignore", "-c", PROGRAM % times], env=env, check=True, capture_output=True, text=True)
    modules, *taken = said.stdout.split()
    shutil.rmtree(work)
    return int(modules), statistics.median(map(float, taken))
