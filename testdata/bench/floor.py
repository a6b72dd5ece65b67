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
gc.disable()
start = time.process_time()
for path, source in sources:
    try:
        marshal.dumps(compile(source, path, "exec", dont_inherit=True))
    except (SyntaxError, ValueError):
        pass
print(len(sources), time.process_time() - start)
"""


def measure(vpk, project: pathlib.Path, base: str, work: pathlib.Path, times: int) -> tuple[int, float]:
    """Modules, and seconds: the median of some passes, one where a pass takes long. The base's own interpreter compiles."""
    env = {**os.environ, "VPK_CACHE_DIR": str(work / "cache")}
    image = f"oci:{work / 'image'}"
    subprocess.run([vpk, "pack", project, "--base", base, "-o", image, "--no-bytecode", "--quiet"], env=env, check=True, capture_output=True)
    taken = []
    while len(taken) < times and sum(taken) < 15:
        said = subprocess.run([vpk, "run", image, "--quiet", "--", "python", "-W", "ignore", "-c", PROGRAM], env=env, check=True, capture_output=True, text=True)
        modules, seconds = said.stdout.split()
        taken.append(float(seconds))
    shutil.rmtree(work)
    return int(modules), statistics.median(taken)
