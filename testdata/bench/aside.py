"""What is not needed any more is put aside and not removed while something is measured: ext4 looks long for free inodes in the seconds
after many were freed, and that would be the next one's time."""

import itertools
import pathlib
import shutil
import time

_numbers = itertools.count()


def put(path: pathlib.Path):
    """Frees a path."""
    if path.exists():
        path.rename(path.parent / f".aside-{next(_numbers)}")


def clear(*directories: pathlib.Path):
    """Removes what was put aside there, and waits until that is forgotten."""
    found = [p for d in directories if d.exists() for p in d.glob(".aside-*")]
    for path in found:
        shutil.rmtree(path)
    if found:
        time.sleep(6)
