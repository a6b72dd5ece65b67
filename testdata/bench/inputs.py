"""What is packed: real projects, each with its lock, a lock with one dependency changed, and one with a dependency more."""

import dataclasses
import pathlib
import re
import shutil
import subprocess

import aside
import servers

SCIENTIFIC = ["pandas", "scipy", "scikit-learn", "sqlalchemy", "django", "boto3", "sympy", "networkx", "matplotlib"]

IGNORED = [".git", ".venv", "__pycache__", "*.pyc", "Dockerfile", ".dockerignore", "README.md"]

# As the tutorial has it, but for the images' names and the place of the shell.
DOCKERFILE = """\
FROM {builder} AS builder
SHELL ["/busybox/sh", "-c"]
USER root
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/app/.venv UV_CACHE_DIR=/cache/uv
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,id=uv-{cache},target=/cache/uv uv sync --frozen --no-install-project --no-dev
COPY app.py ./
RUN --mount=type=cache,id=uv-{cache},target=/cache/uv uv sync --frozen --no-dev

FROM {base}
WORKDIR /app
COPY --from=builder --chown=65532:65532 /app/.venv /app/.venv
COPY --from=builder --chown=65532:65532 /app/app.py /app/app.py
ENV PATH="/app/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8000
CMD ["/app/.venv/bin/python", "-m", "uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
"""


@dataclasses.dataclass
class Input:
    name: str
    directory: pathlib.Path  # the project, as it is
    bumped: str  # uv.lock with one dependency in another version
    other: pathlib.Path  # a project with the same dependencies and one more
    often: int  # how many rounds it has for one of a large project: what takes a second is measured the less exactly

    def copy(self, to: pathlib.Path) -> pathlib.Path:
        aside.put(to)
        shutil.copytree(self.directory, to)
        return to


EMPTY = '''version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "empty"
version = "1"
source = { virtual = "." }
'''


def empty(directory: pathlib.Path) -> pathlib.Path:
    """A project without dependencies, to warm up with."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text('[project]\nname = "empty"\nversion = "1"\nrequires-python = ">=3.11"\n')
    (directory / "uv.lock").write_text(EMPTY)
    (directory / "app.py").write_text("")
    return directory


def lock(uv, python, directory, *more):
    subprocess.run([uv, "lock", "--quiet", "--python", python, "--project", directory, *more], check=True)
    return (directory / "uv.lock").read_text()


def wheel_of_ours(name: str) -> bool:
    """Whether a file can be what a CPython 3.11 on Linux/x86_64 takes; the lock has many more."""
    if not name.endswith(".whl"):
        return False
    python, abi, platform = name[: -len(".whl")].split("-")[-3:]
    return (bool(re.search(r"cp311|py3|abi3", python + abi)) or abi == "abi3") and bool(re.search(r"any$|manylinux.*x86_64", platform))


def make(build: pathlib.Path, demo: pathlib.Path, uv, python, wheels: pathlib.Path, host: str, names: list[str]) -> list[Input]:
    inputs = []
    for name, dependencies, victim in [("example", None, "idna"), ("scientific", SCIENTIFIC, "python-dateutil")]:
        if name not in names:
            continue
        directory = build / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        pyproject = (demo / "pyproject.toml").read_text()
        if dependencies:
            listed = "".join(f'    "{d}",\n' for d in dependencies)
            pyproject = re.sub(r"dependencies = \[.*?\n\]", f"dependencies = [\n{listed}]", pyproject, count=1, flags=re.S)
            pyproject = re.sub(r"\n\[dependency-groups\]\n.*?\n\n", "\n", pyproject, flags=re.S)
            pyproject = pyproject.replace('cmd = ["uvicorn"', 'cmd = ["python", "-m", "uvicorn"')
        pyproject += '\n[tool.uv]\nenvironments = ["sys_platform == \'linux\' and platform_machine == \'x86_64\'"]\n'
        (directory / "pyproject.toml").write_text(pyproject)
        shutil.copy(demo / "app.py", directory)
        (directory / ".dockerignore").write_text("\n".join(IGNORED) + "\n")
        current = lock(uv, python, directory)

        # One dependency, in the version before.
        version = re.search(rf'name = "{victim}"\nversion = "([^"]+)"', current).group(1)
        older = build / (name + "-older")
        shutil.rmtree(older, ignore_errors=True)
        shutil.copytree(directory, older)
        (older / "pyproject.toml").write_text(pyproject + f'constraint-dependencies = ["{victim}<{version}"]\n')
        bumped = lock(uv, python, older)
        # The constraint itself is not part of what is compared: the lock is to fit the project as it is.
        bumped = re.sub(r"\[manifest\]\n(.+\n)+\n", "", bumped)

        other = build / (name + "-other")
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(directory, other)
        (other / "pyproject.toml").write_text(pyproject.replace("dependencies = [\n", 'dependencies = [\n    "tabulate",\n', 1))
        more = lock(uv, python, other)

        (directory / "uv.lock").write_text(servers.localise(current, wheels, host, wheel_of_ours))
        (other / "uv.lock").write_text(servers.localise(more, wheels, host, wheel_of_ours))
        shutil.rmtree(older)
        inputs.append(Input(name, directory, servers.localise(bumped, wheels, host, wheel_of_ours), other, 1 if dependencies else 3))
    return inputs
