// Package pyc compiles the modules of a tree to bytecode, with the interpreter that will run them.
//
// Unit of compilation. CPython's output depends on what the process did before: marshal flags references by reference
// counts and interned strings by who met them first. So the unit is a slice: SliceSize modules of one part, in path order,
// compiled in a child forked from a pristine worker. Nothing else in a build can touch a slice's result: not the other
// wheels, the number of workers, the order of arrival or the state of the cache.
//
// Worker. `python -S -s -B -W ignore -c worker.py` with PYTHONHASHSEED=0, LANG=C.UTF-8 and an otherwise empty environment.
// Not -I: it implies -E, and then CPython ignores PYTHONHASHSEED; the environment is ours and the working directory is taken
// out of sys.path, which leaves nothing that -I would keep out. A module is compile(source, path in the image, 'exec', dont_inherit=True), as
// py_compile does it (CPython Lib/importlib/_bootstrap_external.py, source_to_code).
//
// Headers are PEP 552: UncheckedHash for what never changes in place (site-packages), CheckedHash for what a user may
// mount a file over (the project's own files). Time stamps are never used.
//
// A module that does not compile (other Python versions' syntax in some wheels, templates), or whose bytecode would have a
// name that no file system takes, is reported and has no
// bytecode; the interpreter will say the same when it is imported. A process that dies or hangs, be it of a lack of memory, a
// signal or a hole in the compiler, says nothing of a module: its slice is tried once more in another worker, and then the
// build fails. An image never lacks bytecode because of what happened to the machine that packed it.
//
// The interpreter id is cache tag + sys.version. The magic number is not enough: it spans all of 3.11.x. The id is part
// of the cache key and never of the bytes. Cache: for each part with a Key, an index under the part's key, the interpreter id and the
// header's kind, and the bytecode of its modules in one file, named by its SHA-256, which is checked before it is used.
//
// Not done: rewriting the marshal stream to a canonical form; optimisation levels.
package pyc
