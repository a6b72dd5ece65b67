// Package venv knows the rules of a virtual environment: which file of a wheel becomes which path, what is generated, and
// who owns a path that two wheels claim. It plans and writes nothing: Skeleton and Install give Parts whose content is
// the wheels' own, Join makes them agree. It reads of a wheel only its metadata and the scripts that it has to rewrite.
//
// Rules. The result is what uv 0.11.8 makes with `uv venv` and `uv pip install --link-mode copy`, byte for byte, mode for
// mode, on Linux (PEP 376, 427, 491, 610; crates/uv-install-wheel), with these deliberate differences:
//
//   - The environment has no activation scripts, no _virtualenv.py and .pth, no CACHEDIR.TAG, .gitignore and .lock, and
//     pyvenv.cfg has no lines uv and prompt.
//   - Scripts begin with #!PREFIX/bin/python; uv writes python3 there when it finds an existing environment. A prefix that
//     would need uv's /bin/sh trampoline is an error.
//   - INSTALLER is vpk. uv_cache.json and uv_build.json are not written. direct_url.json has no credentials, and who calls
//     Install leaves it out for files of the machine that builds.
//   - RECORD names each file that is there once, by a clean path, and itself without hash and size. uv keeps rows of scripts
//     that an entry point replaced, two rows for a file that was written twice, spellings such as ./a, and the size that
//     RECORD had in the wheel.
//   - A wheel that is ambiguous or unsafe is refused, all its problems at once: an archive that package wheel refuses; other
//     than one *.dist-info directory; entry_points.txt that is not UTF-8; scripts, also those of .data, whose names are
//     paths, have control characters or are reserved for the interpreter; files that would replace pyvenv.cfg, lib64 or the
//     interpreter; a path that is both a file and a directory.
//   - Files of .data below lib64 are planned below lib, where the link leads. When several subdirectories of .data give one
//     path, the last in alphabetical order wins; uv takes the order of the file system.
//   - Empty directories of a wheel are not made.
//   - Between wheels, see Join; uv leaves the last writer's file and both RECORD rows.
//
// A project can be installed in place (InstallLocal): its modules stay where they are, and a .pth file names the directories that they
// are imported from, by absolute paths. Everything else of it is as if it came from a wheel: METADATA, entry points, scripts,
// RECORD. It has no direct_url.json, which would tell of the place on the machine that built it.
//
// The bytecode of a wheel is made elsewhere, from its Part, and is never in RECORD, but for what a wheel itself ships. A package
// that is Sourceless has it in the place of the modules, which then are not in RECORD either.
//
// Not done: sources to build, Windows, free-threaded interpreters' paths.
package venv

// FormatVersion is raised when the same wheel gives other entries: it is in every key.
const FormatVersion = "2"

// maxText bounds each metadata file and script that is read into memory. The largest RECORDs known have some 10 MB.
const maxText = 64 << 20
