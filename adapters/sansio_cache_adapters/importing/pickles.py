"""Pickles, read as data: a machine of our own for the opcodes that plain values are written in.

A pickle is a program for a small machine. Python's own machine imports what the program names and calls it. This one
has no way to do either: a name stays a name, and the object that the program would have made is noted (:class:`Made`)
and never made. It stops at names that no known cache writes. It has no recursion, trusts no stated length, and every
step costs at least a byte of input and is counted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, cast

from .report import Reason, Skipped

__all__ = ["Made", "read_pickle"]

_MOST_STEPS: Final = 500_000
_LONGEST_INT: Final = 16
"""Bytes of a whole number: nothing that a cache keeps needs more, and long ones take long."""

_NAMES: Final = frozenset(
    {
        "aiohttp.http_writer.HttpVersion",
        "aiohttp_client_cache.response.CachedResponse",
        "datetime.datetime",
        "datetime.timedelta",
        "datetime.timezone",
        "http.cookies.Morsel",
        "http.cookies.SimpleCookie",
        "urllib.parse.SplitResult",
        "yarl.URL",
        "yarl._url.URL",
    }
)
"""Names in the values of known caches. None of them is looked up, let alone called."""


class Named:
    """A name in a pickle."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Made:
    """A note of an object that a pickle would have made by a name.

    :ivar args: its arguments.
    :ivar state: the state that would have been put into it afterwards.
    """

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple[object, ...]) -> None:
        self.name = name
        self.args = args
        self.state: object = None


class _Mark:
    """Where a group of values begins on the stack."""


_MARK: Final = _Mark()


def read_pickle(data: bytes) -> tuple[object, int]:
    """The value of a pickle, and where the pickle ends in the data.

    Containers may lie within themselves or many times in others: look only where something is expected.

    :raises Skipped: it is damaged, or would have to be run.
    """
    try:
        return _Machine(data).run()
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error):
        raise Skipped(Reason.DAMAGED) from None


class _Machine:
    """Reads one pickle."""

    __slots__ = ("_at", "_data", "_memo", "_stack")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def run(self) -> tuple[object, int]:
        data = self._data
        for _ in range(_MOST_STEPS):
            opcode = data[self._at]
            self._at += 1
            if opcode == _STOP:
                (value,) = self._stack
                return value, self._at
            step = _STEPS.get(opcode)
            if step is None:
                # Whatever it is, no cache of today writes it: old protocols, extensions, instances.
                raise Skipped(Reason.NOT_DATA if opcode in _RUNNING else Reason.DAMAGED)
            step(self)
        raise Skipped(Reason.TOO_LARGE)

    # Input

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise ValueError("ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at, self._at + 256)
        line = self._take(end - self._at)
        self._at += 1
        return line.decode("ascii")

    # The stack

    def push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark in the place of a value")
        return value

    def _marked(self) -> list[object]:
        """The values down to the last mark, which go with it."""
        stack = self._stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    # Values

    def text(self, size: int) -> None:
        self.push(self._take(self._number(size)).decode("utf-8", "surrogatepass"))

    def data(self, size: int) -> None:
        self.push(self._take(self._number(size)))

    def whole(self, size: int, *, signed: bool) -> None:
        self.push(int.from_bytes(self._take(size), "little", signed=signed))

    def long(self, size: int) -> None:
        count = self._number(size)
        if count > _LONGEST_INT:
            raise ValueError("a number that is too long")
        self.whole(count, signed=True)

    def double(self) -> None:
        self.push(struct.unpack(">d", self._take(8))[0])

    def row(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def marked_row(self) -> None:
        self.push(tuple(self._marked()))

    def extend(self, values: list[object]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            cast("list[object]", target).extend(values)
        elif not isinstance(target, Made):
            raise ValueError("no list")

    def append(self) -> None:
        value = self._pop()
        self.extend([value])

    def extend_marked(self) -> None:
        values = self._marked()
        self.extend(values)

    def update(self, values: list[object]) -> None:
        target = self._stack[-1]
        if len(values) % 2 or not isinstance(target, dict | Made):
            raise ValueError("no dict")
        if isinstance(target, Made):
            # The members of a dict of some kind: no value of a cache is read from one.
            return
        members = cast("dict[object, object]", target)
        for at in range(0, len(values), 2):
            name = values[at]
            # To hash a tuple of tuples may take for ever.
            if not isinstance(name, str | bytes | int):
                raise ValueError("a key that no cache has")
            members[name] = values[at + 1]

    def set_one(self) -> None:
        value = self._pop()
        self.update([self._pop(), value])

    def set_marked(self) -> None:
        values = self._marked()
        self.update(values)

    # The memo

    def put(self, size: int) -> None:
        self._memo[self._number(size)] = self._top()

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def get(self, size: int) -> None:
        self.push(self._memo[self._number(size)])

    def _top(self) -> object:
        value = self._stack[-1]
        if value is _MARK:
            raise ValueError("a mark in the place of a value")
        return value

    # Names

    def name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str) or f"{module}.{name}" not in _NAMES:
            raise Skipped(Reason.NOT_DATA)
        self.push(Named(f"{module}.{name}"))

    def line_name(self) -> None:
        module = self._line()
        self.name(module, self._line())

    def stack_name(self) -> None:
        name = self._pop()
        self.name(self._pop(), name)

    def make(self) -> None:
        args, named = self._pop(), self._pop()
        if not isinstance(named, Named) or not isinstance(args, tuple):
            raise Skipped(Reason.NOT_DATA)
        self.push(Made(named.name, cast("tuple[object, ...]", args)))

    def build(self) -> None:
        state = self._pop()
        made = self._stack[-1]
        if not isinstance(made, Made):
            raise Skipped(Reason.NOT_DATA)
        made.state = state

    def skip(self, size: int) -> None:
        self._take(size)


_STOP: Final = ord(".")
_RUNNING: Final = frozenset(b"ioPQ\x82\x83\x84\x92\x97\x98")
"""Opcodes that make instances in other ways, or ask the program for something."""

_Step = Callable[[_Machine], None]
_STEPS: Final[dict[int, _Step]] = {
    0x80: lambda m: m.skip(1),  # PROTO
    0x95: lambda m: m.skip(8),  # FRAME: a hint for who reads from a stream
    ord("("): lambda m: m.push(_MARK),
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("}"): lambda m: m.push(cast("dict[object, object]", {})),
    ord("]"): lambda m: m.push(cast("list[object]", [])),
    ord(")"): lambda m: m.push(()),
    ord("J"): lambda m: m.whole(4, signed=True),
    ord("K"): lambda m: m.whole(1, signed=False),
    ord("M"): lambda m: m.whole(2, signed=False),
    0x8A: lambda m: m.long(1),
    0x8B: lambda m: m.long(4),
    ord("G"): _Machine.double,
    0x8C: lambda m: m.text(1),
    ord("X"): lambda m: m.text(4),
    0x8D: lambda m: m.text(8),
    ord("C"): lambda m: m.data(1),
    ord("B"): lambda m: m.data(4),
    0x8E: lambda m: m.data(8),
    0x96: lambda m: m.data(8),  # BYTEARRAY8
    0x85: lambda m: m.row(1),
    0x86: lambda m: m.row(2),
    0x87: lambda m: m.row(3),
    ord("t"): _Machine.marked_row,
    ord("a"): _Machine.append,
    ord("e"): _Machine.extend_marked,
    ord("s"): _Machine.set_one,
    ord("u"): _Machine.set_marked,
    0x94: _Machine.memoize,
    ord("q"): lambda m: m.put(1),
    ord("r"): lambda m: m.put(4),
    ord("h"): lambda m: m.get(1),
    ord("j"): lambda m: m.get(4),
    ord("c"): _Machine.line_name,
    0x93: _Machine.stack_name,
    0x81: _Machine.make,  # NEWOBJ
    ord("R"): _Machine.make,  # REDUCE
    ord("b"): _Machine.build,
}
