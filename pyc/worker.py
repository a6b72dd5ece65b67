# The compile worker: one pristine process that forks a child for each slice of modules, so that nothing that was compiled
# before can touch what is compiled now. Only built-in modules are used; a child may import codecs, from the standard library
# alone, for sources that are not UTF-8. Little-endian frames:
#
#   hello  (out): u32 length, then cache tag, magic (4 bytes), hash randomisation (1 byte), sys.version: u32 length + bytes each
#   slice  (in):  u32 modules, u32 seconds that the child may take over one of them, u8 level of optimisation, then for each u32 length + path, u64 length + source; no slice (end of input) ends the worker
#   answer (out): "P" u32 length + a piece of what the child says, any number of them, which is for each module, in order:
#                   "C" source hash (8 bytes), u64 length + marshalled code
#                   "E" u32 length + what the compiler said
#                 then "K" u32 wait status of the child: 0 if it lived to the end
import sys
sys.path[:] = [place for place in sys.path if place.startswith("/")]  # not the working directory
import _imp, _signal, _warnings, gc, marshal, posix
from _frozen_importlib_external import MAGIC_NUMBER


def read(fd, size):
    parts = []
    while size:
        part = posix.read(fd, min(size, 1 << 20))
        if not part:
            if parts or size != 4:
                raise EOFError
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write(fd, *parts):
    rest = sum(map(len, parts)) - posix.writev(fd, parts)
    if rest:
        view = memoryview(b"".join(parts))[-rest:]
        while view:
            view = view[posix.write(fd, view):]


def number(size):
    return int.from_bytes(read(0, size), "little")


def framed(data):
    return len(data).to_bytes(4, "little") + data


def compiled(path, source, level):
    try:
        code = compile(source, path.decode("utf-8", "surrogateescape"), "exec", dont_inherit=True, optimize=level)
        code = marshal.dumps(code)
        return b"C" + _imp.source_hash(int.from_bytes(MAGIC_NUMBER, "little"), source) + len(code).to_bytes(8, "little"), code
    except Exception as error:
        if isinstance(error, MemoryError):
            # So says the parser of what nests too deeply, and the allocator when there is no memory. That is no fault of
            # the module, and there is none for this either: the child dies of it.
            bytes(1 << 30)
        said = "%s: %s" % (type(error).__name__, error)
        return b"E", framed(said.encode("utf-8", "backslashreplace"))


def child(modules, seconds, level, out):
    # The worker's own pipes are none of a compiler's business that foreign code might have taken over.
    posix.close(0)
    posix.close(1)
    for path, source in modules:
        _signal.alarm(seconds)
        write(out, *compiled(path, source, level))


def serve():
    gc.disable()
    # As -W ignore has it, for which the interpreter would import warnings: a third of its start.
    _warnings.filters.insert(0, ("ignore", None, Warning, None, 0))
    hello = b"".join(framed(part) for part in (
        sys.implementation.cache_tag.encode(), MAGIC_NUMBER, bytes([sys.flags.hash_randomization]), sys.version.encode()))
    write(1, framed(hello))
    buffer = bytearray(1 << 16)  # what a pipe holds; made once, as new memory costs more than what is copied there
    while True:
        head = read(0, 4)
        if not head:
            posix._exit(0)  # there is nothing to tidy up
        modules, seconds, level = [], number(4), number(1)
        for _ in range(int.from_bytes(head, "little")):
            path = read(0, number(4))
            modules.append((path, read(0, number(8))))
        source, sink = posix.pipe()
        pid = posix.fork()
        if not pid:
            status = 1
            try:
                posix.close(source)
                child(modules, seconds, level, sink)
                status = 0
            except MemoryError:
                posix.write(2, b"there is no memory left")
            finally:
                posix._exit(status)
        posix.close(sink)
        modules = None
        while size := posix.readv(source, [buffer]):
            write(1, b"P" + size.to_bytes(4, "little"), memoryview(buffer)[:size])
        posix.close(source)
        _, status = posix.waitpid(pid, 0)
        write(1, b"K" + status.to_bytes(4, "little"))


serve()
