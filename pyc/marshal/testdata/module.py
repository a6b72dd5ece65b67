"""A module with one of each thing that can be in bytecode, for every CPython from 3.9 on."""
from __future__ import annotations

import os.path
import sys as été
from os import path as é, sep

ONE = (1, 1.0, True, 0.0, -0.0, 1j, -1j, -0.0 + 0j, 0j, None, ..., b"1", "1", b"", "", (), ((),), (1, 2.0), (1.0, 2))
NUMBERS = (2**31 - 1, -(2**31), 2**31, 2**62, -(2**200), 255, 256, 1 << 15, 1e308, 5e-324, 1e999, -1e999)
NAN = 1e999 - 1e999
NAN_TOO = (1e999 - 1e999, (1e999 - 1e999) * 1j)
TEXT = ("a", ".", "\n", "é", "ÿ", "€", "𝄞", "\udc80", "naïve", "été", "a.b", "os.path", "<lambda>", "<module>", "x" * 300, "é" * 300, " " * 255)
LONG = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29) * 10


def belongs(x):
    return (
        x in {1, 2, 3, 1000, 2000, -1},
        x in {"a", "b", ".", "a.b", "naïve", "x" * 300},
        x in {1, 2.5, "q", b"q", None, (1, "z"), (1.0, "z"), 10**30},
        x in {0.0, 1e999 - 1e999, 1e999 - 1e999},
        x in {"<lambda>", "Outer.Inner", "Outer.Inner.method"},
    )


def iterates():
    for x in {8, 16, 24, 32, 40, 48}:
        yield x, [y for y in {"one", "two", "three"} if y], {z: 1 for z in ()}, {w for w in (1, 1.0, True)}


class Outer:
    "Outer.Inner"

    class Inner:
        __slots__ = ("Outer.Inner", "a.b", "__private")

        def method(self, été, /, ünï=1, *args, kü: int = 3, **kwargs) -> "Outer.Inner":
            self.ünï, self.__private = ünï, self.method(0, été=1, kü=lambda q: (q, été))
            return f"{été!r:>{ünï}}{kü:%Y-%m}.{self}", été

    async def wait(self):
        async with self as x:
            try:
                return [await y async for y in x]
            except (ValueError, OSError) as error:
                raise
            finally:
                (lambda: 0)(), (lambda: 0)()
