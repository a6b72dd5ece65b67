"""measure.py RESULT PROGRAM ARGUMENT...

Runs a program and writes to RESULT, as JSON, its exit code, the seconds that it took, the peak memory of its own process,
and that of the largest process among it and all that it waited for.

This is a process of its own, and a small one, because a program begins as a copy of what starts it: what wait4 says of the largest process
is never less than that. Nor does it tell a program from its children, so the peak of its own process is read from
/proc while it runs, every few milliseconds; what it grows by in the last of them is missed.
"""

import json
import os
import sys
import threading
import time

INTERVAL = 0.004


def peak(pid) -> int:
    """Bytes that the process has had in memory at the most; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def main():
    result, *argv = sys.argv[1:]
    own, ended = 0, threading.Event()

    def watch(pid):
        nonlocal own
        while not ended.is_set():
            own = max(own, peak(pid))
            ended.wait(INTERVAL)

    start = time.monotonic()
    pid = os.posix_spawnp(argv[0], argv, os.environ)
    watcher = threading.Thread(target=watch, args=[pid])
    watcher.start()
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - start
    ended.set()
    watcher.join()
    with open(result, "w") as out:
        json.dump({"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "own": own, "largest": usage.ru_maxrss * 1024}, out)


if __name__ == "__main__":
    main()
