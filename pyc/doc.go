// Package pyc compiles the modules of a tree to bytecode, with the interpreter that will run them.
//
// Bytecode is canonical: what a worker marshals is rewritten (package marshal) to a form that depends on the module and the
// interpreter alone, not on what else was compiled where, when, how many at a time or where to. Interpreters are CPython 3.9 to 3.14;
// any other is refused (Supports), before anything is done.
//
// Unit of compilation. A slice is SliceSize modules of one part, in path order, compiled in a child forked from a pristine
// worker. Nothing else in a build can touch a slice's result, and a crash costs that slice. The largest parts come first (turns).
//
// Worker. `python -S -s -B -c worker.py` with PYTHONHASHSEED=0, LANG=C.UTF-8, limits of glibc's malloc and an otherwise empty environment.
// Not -I: it implies -E, and then CPython ignores PYTHONHASHSEED; the environment is ours and the working directory is taken
// out of sys.path, which leaves nothing that -I would keep out. A module is compile(source, path below the root, 'exec', dont_inherit=True, optimize=level), as
// py_compile does it (CPython Lib/importlib/_bootstrap_external.py, source_to_code).
//
// Headers are PEP 552: UncheckedHash for what never changes in place (site-packages), CheckedHash for what a user may
// mount a file over (the project's own files). Time stamps are never used.
//
// A module that does not compile (other Python versions' syntax in some wheels, templates), or whose bytecode would have a
// name that no file system takes, is reported and has no bytecode; the interpreter will say the same when it is imported. So it is
// with a module on which the compiler itself crashes (by a fault of its own: SIGSEGV and its like), twice, in two workers.
// Any other death of a process, be it of a lack of memory or of time, says nothing of a module: its slice is tried once more
// in another worker, the module is found at which it happens, if need be by halving, and then the build fails and names
// it. An image never lacks bytecode because of what happened to the machine that packed it.
//
// The interpreter id is cache tag + sys.version. The magic number is not enough: it spans all of 3.11.x. The id is part
// of the cache key and never of the bytes. Cache: for the modules of each part with a Key, an index under what they are compiled from (their
// paths below the root, their contents, the interpreter id) and their code in one file, named by its SHA-256, which is proven before
// it is used, unless it looks as it did when it was proven before in the same boot (cas.Look): then the digests of the files at their place are
// remembered. The code is without header and without co_filename, which are filled in as it is read: one entry serves every
// place that the modules can be installed to, and both kinds of header. An index whose code was removed from the cache, or the other way round, is as
// none: both are made again.
package pyc
