# What the tests of canonical bytecode ask an interpreter. Little-endian frames (u32 length + bytes) on stdin and stdout.
#
#   oracle.py fresh   sources (name, text)...: for each, marshalled code or nothing, each compiled in a process of its own
#   oracle.py busy    the same, all in this process, in which whatever strings can be interned are, after each module
#   oracle.py library where the standard library is
#   oracle.py walk    pairs (marshalled, rewritten)...: for each, what differs in the objects that they are loaded to, in
#                     words; at the end counts in JSON
import json, marshal, math, os, struct, sys

sys.setrecursionlimit(10000)
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer


def frames():
    while True:
        head = stdin.read(4)
        if not head:
            return
        yield stdin.read(int.from_bytes(head, "little"))


def answer(data):
    stdout.write(len(data).to_bytes(4, "little") + data)


def compiled(name, text):
    try:
        return compile(text, name.decode(), "exec", dont_inherit=True)
    except Exception:
        return None


def isolated(name, text):
    source, sink = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(source)
        code = compiled(name, text)
        with open(sink, "wb") as out:
            out.write(marshal.dumps(code) if code else b"")
        os._exit(0)
    os.close(sink)
    with open(source, "rb") as made:
        data = made.read()
    os.waitpid(pid, 0)
    return data


def intern_all(value):
    if isinstance(value, str):
        sys.intern(value)
    elif isinstance(value, (tuple, frozenset)):
        for part in value:
            intern_all(part)
    elif hasattr(value, "co_code"):
        for part in (value.co_consts, value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars,
                     value.co_name, getattr(value, "co_qualname", ""), value.co_filename):
            intern_all(part)


def in_one_process(name, text):
    code = compiled(name, text)
    data = marshal.dumps(code) if code else b""
    intern_all(code)
    kept.append(code)  # objects that live on add to reference counts
    return data


kept = []


def is_interned(text):
    return marshal.dumps(text)[0] & 0x7f in b"ZAt"


class Walk:
    """Compares two objects part by part, never by their own equality."""

    def __init__(self, counts):
        self.counts = counts
        self.differences = []
        self.partners = {}  # of code objects and numbers that are not numbers, both ways
        self.classes = set()  # qualified names that class bodies hold

    def differ(self, where, a, b):
        self.differences.append("%s: %.200r and %.200r" % (where, a, b))

    def pair(self, where, a, b):
        for one, other, way in (a, b, 0), (b, a, 1):
            if self.partners.setdefault((way, id(one)), id(other)) != id(other):
                self.differ(where + ": what is shared", a, b)

    def walk(self, where, a, b):
        self.counts["objects"] += 1
        kind = type(a)
        if kind is not type(b):
            self.differ(where + ": types", a, b)
        elif kind is str:
            self.text(where, a, b)
        elif kind is float:
            self.floats(where, (a,), (b,))
            if math.isnan(a):
                self.pair(where, a, b)
        elif kind is complex:
            self.floats(where, (a.real, a.imag), (b.real, b.imag))
        elif kind in (int, bool, bytes, type(None), type(...)):
            if a != b:
                self.differ(where, a, b)
        elif kind is tuple:
            self.tuple(where, a, b)
        elif kind is frozenset:
            self.frozenset(where, a, b)
        elif kind is slice:
            self.tuple(where, (a.start, a.stop, a.step), (b.start, b.stop, b.step))
        elif hasattr(a, "co_code"):
            self.code(where, a, b)
        else:
            self.differ(where + ": unknown type", a, b)

    def text(self, where, a, b):
        if a != b:
            self.differ(where, a, b)
        elif is_interned(a) != is_interned(b):
            # Where a class body is not the first to have its qualified name as a constant, the compiler shares the other.
            if sys.version_info >= (3, 13) and a in self.classes and is_interned(b):
                self.counts["interned by rule"] += 1
            else:
                self.differ(where + ": interned", (a, is_interned(a)), (b, is_interned(b)))

    def floats(self, where, a, b):
        for x, y in zip(a, b):
            got = struct.pack("<d", y)
            if struct.pack("<d", x) != got and not (math.isnan(x) and got == b"\0\0\0\0\0\0\xf8\x7f"):
                self.differ(where, x, y)

    def tuple(self, where, a, b):
        if len(a) != len(b):
            self.differ(where + ": lengths", a, b)
        for i, (x, y) in enumerate(zip(a, b)):
            self.walk("%s[%d]" % (where, i), x, y)

    def frozenset(self, where, a, b):
        self.counts["frozensets"] += 1
        if list(map(plain, a)) != list(map(plain, b)):
            self.counts["frozensets that iterate in another order"] += 1
        self.tuple(where + " sorted", sorted(a, key=plain), sorted(b, key=plain))

    def code(self, where, a, b):
        self.counts["code objects"] += 1
        self.pair(where, a, b)
        if not a.co_flags & 1:
            self.classes.add(getattr(a, "co_qualname", None))
        where += "." + a.co_name
        attributes = [name for name in dir(a) if name.startswith("co_") and name != "co_lnotab" or name == "_varname_from_oparg"]
        if attributes != [name for name in dir(b) if name.startswith("co_") and name != "co_lnotab" or name == "_varname_from_oparg"]:
            self.differ(where, dir(a), dir(b))
        for name in attributes:
            x, y = getattr(a, name), getattr(b, name)
            if name in ("co_lines", "co_positions", "co_branches"):
                if list(x()) != list(y()):
                    self.differ(where + "." + name, list(x()), list(y()))
                continue
            if callable(x):
                continue
            self.walk(where + "." + name, x, y)


def plain(value):
    """An encoding without references and interned strings."""
    return marshal.dumps(value, 2)


def walk_pairs():
    counts = {"objects": 0, "code objects": 0, "frozensets": 0, "frozensets that iterate in another order": 0, "interned by rule": 0}
    pairs = frames()
    for a in pairs:
        b = next(pairs)
        w = Walk(counts)
        # The compiler's bytes first: what the others intern could be the same.
        x, y = marshal.loads(a), marshal.loads(b)
        for outer in (x,):
            stack = [outer]
            while stack:
                code = stack.pop()
                if not code.co_flags & 1:
                    w.classes.add(getattr(code, "co_qualname", None))
                stack += [c for c in code.co_consts if hasattr(c, "co_code")]
        w.walk("", x, y)
        answer("\n".join(w.differences[:5]).encode("utf-8", "backslashreplace"))
    answer(json.dumps(counts).encode())


if sys.argv[1] == "walk":
    walk_pairs()
elif sys.argv[1] == "library":
    answer(os.path.dirname(os.__file__).encode())
else:
    make = isolated if sys.argv[1] == "fresh" else in_one_process
    sources = frames()
    for name in sources:
        answer(make(name, next(sources)))
