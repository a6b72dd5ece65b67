"""What the contestants talk to: a file server for wheels, a registry, buildkitd. All on loopback, all ended with the run."""

import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request


class NotStarted(Exception):
    """A server did not."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def program(argv, log, ready, env=None):
    """A server that is ready when `ready` no longer raises OSError or CalledProcessError."""
    with open(log, "ab") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                ready()
                break
            except (OSError, subprocess.CalledProcessError):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise NotStarted(f"{argv[0]} does not start, see {log}")
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url):
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5).close()


class Wheels(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def copyfile(self, source, outputfile):
        outputfile.flush()
        self.connection.sendfile(source)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def wheelhouse(directory, log):
    """Serves a directory from a process of its own, so that it takes no time from the clock that measures."""
    port = free_port()
    argv = [sys.executable, __file__, str(directory), str(port)]
    with program(argv, log, lambda: answers(f"http://127.0.0.1:{port}/")):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def registry(binary, directory, log):
    port = free_port()
    config = directory / "config.yml"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {json.dumps(str(directory / 'data'))}}}}}\n"
                      f"http: {{addr: '127.0.0.1:{port}'}}\n")
    with program([binary, "serve", str(config)], log, lambda: answers(f"http://127.0.0.1:{port}/v2/")):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def buildkit(tools, directory, registry_host, log):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    address = f"unix://{directory}/buildkitd.sock"
    (directory / "buildkitd.toml").write_text(f'[registry."{registry_host}"]\n  http = true\n')
    argv = [str(tools / "buildkitd"), "--oci-worker=true", "--containerd-worker=false", "--oci-worker-net=host",
            f"--root={directory}/root", f"--addr={address}", f"--config={directory}/buildkitd.toml"]
    ready = [str(tools / "buildctl"), f"--addr={address}", "debug", "workers"]
    with program(argv, log, lambda: subprocess.run(ready, check=True, capture_output=True)):
        yield address


FILE = re.compile(r'url = "([^"]+)", hash = "sha256:([0-9a-f]{64})"')


def localise(lock: str, directory: pathlib.Path, host: str, wanted) -> str:
    """The lock with the addresses of its files on the file server; the wanted ones are fetched there, once."""

    def place(match):
        url, digest = match.groups()
        name = url.rsplit("/", 1)[1]
        path = directory / digest / name
        if wanted(name) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with urllib.request.urlopen(url, timeout=60) as body, open(part, "wb") as out:
                shutil.copyfileobj(body, out)
            os.rename(part, path)
        return f'url = "{host}/{digest}/{name}", hash = "sha256:{digest}"'

    return FILE.sub(place, lock)


def read(lock: str, directory: pathlib.Path):
    """Reads the files of a localised lock that are here once, so that the first who asks for them does not wait for the disk."""
    for url, digest in FILE.findall(lock):
        path = directory / digest / url.rsplit("/", 1)[1]
        if path.exists():
            with open(path, "rb") as f:
                while f.read(1 << 20):
                    pass


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Wheels).serve_forever()
