"""How long the example takes to be imported, in images with more and less bytecode: processor time of a new interpreter."""

import os
import pathlib
import shutil
import statistics
import subprocess

FORMS = [  # name, [tool.vpk.bytecode]
    ("no bytecode", "enabled = false"),
    ("of packages alone, as the tutorial's image", "stdlib = false"),
    ("of packages and the standard library", ""),
]
# To unpack an image takes longer than to start it, so one run of it starts several interpreters.
PROGRAM = """
import subprocess, sys
for _ in range(%d):
    subprocess.run([sys.executable, "-c", "import time, app, uvicorn; print(time.process_time())"], check=True)
"""


def measure(vpk, project: pathlib.Path, base: str, work: pathlib.Path, times: int) -> str:
    """A table of medians. The image runs read-only in vpk's own sandbox, whose start is not counted."""
    env = {**os.environ, "VPK_CACHE_DIR": str(work / "cache")}
    lines = ["## start of the example\n", f"Processor time of a new interpreter, {times} starts each.\n", "| bytecode | `import app, uvicorn` | |", "|---|---|---|"]
    medians = []
    for number, (name, table) in enumerate(FORMS):
        copy, image = work / f"project{number}", f"oci:{work / f'image{number}'}"
        shutil.copytree(project, copy)
        with open(copy / "pyproject.toml", "a") as f:
            f.write(f"\n[tool.vpk.bytecode]\n{table}\n")
        subprocess.run([vpk, "pack", copy, "--base", base, "-o", image, "--quiet"], env=env, check=True, capture_output=True)
        said = subprocess.run([vpk, "run", image, "--quiet", "--", "python", "-c", PROGRAM % times], env=env, check=True, capture_output=True, text=True)
        medians.append(statistics.median(map(float, said.stdout.split())))
    tutorial = medians[1]
    for (name, _), value in zip(FORMS, medians):
        lines.append(f"| {name} | {value:.2f} s | {tutorial / value:.1f}× as fast |")
    return "\n".join(lines) + "\n"
