"""Messages between a client, the cache and an origin: plain frozen values.

Field values are ``str`` by latin-1, as RFC 9110 §5.5 has them: every byte survives the way in and out.
Times are POSIX seconds as ``float``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from .credentials import is_secret_field
from .expiry import Expiry
from .memo import Memo
from .urls import redact

__all__ = [
    "CONDITIONAL",
    "EMPTY",
    "HTTP_1_1",
    "IDEMPOTENT_METHODS",
    "NO_OPTIONS",
    "REDIRECTS",
    "Headers",
    "Kept",
    "Options",
    "Received",
    "Request",
    "Unreachable",
    "headers_of",
    "shown_fields",
    "version_name",
    "version_of",
]


CONDITIONAL: Mapping[str, str] = {
    name.lower(): name
    for name in ("If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range")
}
"""Preconditions and ranges (RFC 9110 §13.1, §14.2), by their names in lower case: fields that the core may change."""
_CONDITIONAL_NAMES: Final = frozenset(CONDITIONAL)


IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again without knowing what became of the first attempt (RFC 9110 §9.2.2)."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses that clients follow (RFC 9110 §15.4)."""
HTTP_1_1: Final = 11
"""The version of HTTP in tenths, as http.client counts."""


@lru_cache(maxsize=16)
def version_name(version: int) -> str:
    """The name of a version: ``HTTP/1.1``, ``HTTP/2``."""
    major, minor = divmod(version, 10)
    return f"HTTP/{major}.{minor}" if major < 2 or minor else f"HTTP/{major}"


def version_of(name: str) -> int:
    """The version of a name like ``HTTP/1.0`` or ``HTTP/2``; 1.1 for any other."""
    major, _, minor = name.upper().removeprefix("HTTP/").partition(".")
    digits = major + (minor or "0")
    return int(digits) if len(digits) == 2 and digits.isascii() and digits.isdecimal() else HTTP_1_1


_NAMES_URL: Final = frozenset({"content-location", "location", "referer"})
_UNSHOWN: Final = "…"


def shown_fields(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields for people to read: an ellipsis in place of credentials, URLs redacted."""
    return [(name, _shown_value(name, value)) for name, value in items]


def _shown_value(name: str, value: str) -> str:
    if is_secret_field(name):
        return _UNSHOWN
    return redact(value).removeprefix("://") if name.lower() in _NAMES_URL else value


_Shape = dict[str, list[int]]
_SHAPES: Final = Memo[tuple[str, ...], _Shape](262_144)
"""Where the fields of each name lie, by all names: messages of one origin are alike, and thousands are remembered."""
_SHAPE_FIELDS: Final = 64
_SHAPE_BYTES: Final = 200
"""Of so many fields at most, and what one takes beside its name."""


def _shape_of(items: tuple[tuple[str, str], ...]) -> _Shape:
    if len(items) > _SHAPE_FIELDS:
        return _placed(items)
    names = tuple([name for name, _ in items])
    shape = _SHAPES.get(names)
    if shape is None:
        shape = _placed(items)
        _SHAPES.put(names, shape, sum([_SHAPE_BYTES + 2 * len(name) for name in names]))
    return shape


def _placed(items: tuple[tuple[str, str], ...]) -> _Shape:
    shape: _Shape = {}
    for place, (name, _) in enumerate(items):
        shape.setdefault(name.lower(), []).append(place)
    return shape


class Headers:
    """The header fields of a message: ordered, repeats kept, spelled as they came, compared without case.

    :ivar keyed: a key maker's memory of the last request that it saw with them; only key makers use it.
    """

    __slots__ = ("_index", "items", "keyed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items: tuple[tuple[str, str], ...] = tuple(items)
        self._index: _Shape | None = None
        self.keyed: tuple[object, Any] | None = None

    def _by_name(self) -> _Shape:
        index = self._index
        if index is None:
            index = self._index = _shape_of(self.items)
        return index

    def has(self, name: str) -> bool:
        """Whether there is a field whose name in lower case is this: what a hit asks, again and again."""
        index = self._index
        return name in (self._by_name() if index is None else index)

    def lines(self, name: str) -> list[str]:
        """Every line of one field, in order."""
        index = self._index
        if index is None:
            index = self._by_name()
        places = index.get(name)
        if places is None:
            # Ours ask in lower case; a user's filter or key function asks as it likes.
            places = index.get(name.lower())
            if places is None:
                return []
        items = self.items
        return [items[place][1] for place in places]

    def get(self, name: str) -> str | None:
        """The combined value of a field (RFC 9110 §5.3), or None where it is absent."""
        index = self._index
        if index is None:
            index = self._by_name()
        places = index.get(name)
        if places is None:
            places = index.get(name.lower())
            if places is None:
                return None
        items = self.items
        return items[places[0]][1] if len(places) == 1 else ", ".join([items[place][1] for place in places])

    def __getitem__(self, name: str) -> str:
        """The combined value of a field that is there.

        :raises KeyError: it is not.
        """
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def names(self) -> KeysView[str]:
        """The names of the fields present, in lower case, each once."""
        index = self._index
        return (self._by_name() if index is None else index).keys()

    @property
    def conditional(self) -> bool:
        """Whether a request carries a precondition or a range (RFC 9110 §13.1, §14.2)."""
        index = self._index
        return not _CONDITIONAL_NAMES.isdisjoint(self._by_name() if index is None else index)

    @property
    def unconditional(self) -> Headers:
        """These fields without preconditions and ranges."""
        return self.without(CONDITIONAL) if self.conditional else self

    def without(self, names: Iterable[str]) -> Headers:
        """These fields without those named (lower case)."""
        unwanted = frozenset(names)
        index = self._index
        if unwanted.isdisjoint(self._by_name() if index is None else index):
            return self
        return Headers([item for item in self.items if item[0].lower() not in unwanted])

    def again(self) -> Headers:
        """The same fields, for another request: what a key maker remembers is of one."""
        other = Headers.__new__(Headers)
        other.items, other._index, other.keyed = self.items, self._index, None
        return other

    def with_field(self, name: str, value: str) -> Headers:
        """These fields with one set to a single line, at the end if it was there before or not."""
        return self.with_fields((name, value))

    def with_fields(self, *fields: tuple[str, str]) -> Headers:
        """The same for several."""
        names = {name.lower() for name, _ in fields}
        index = self._index
        others = self.without(names) if index is None or not names.isdisjoint(index) else self
        return Headers((*others.items, *fields))

    def __contains__(self, name: object) -> bool:
        index = self._index
        if index is None:
            index = self._by_name()
        return name in index or (isinstance(name, str) and name.lower() in index)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        # The repr of a message ends up in logs, tracebacks and reports of faults.
        return f"Headers({shown_fields(self.items)!r})"

    def __reduce__(self) -> tuple[type[Headers], tuple[tuple[tuple[str, str], ...]]]:
        return Headers, (self.items,)


EMPTY = Headers()


def headers_of(fields: Iterable[tuple[Any, Any]]) -> Headers:
    """Header fields as a client has them, of str or bytes."""
    # Nearly all are str already.
    return Headers(
        [
            (name if type(name) is str else _text(name), value if type(value) is str else _text(value))
            for name, value in fields
        ]
    )


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class Options(msgspec.Struct, frozen=True):
    """The options of one request for the cache; they are never sent to the origin."""

    expiry: Expiry | None = None
    """This request's ``expire_after``; None: not given."""
    only_if_cached: bool = False
    """A fresh stored response or 504 (RFC 9111 §5.2.1.7)."""
    refresh: bool = False
    """Validate whatever is stored before it is used."""
    force_refresh: bool = False
    """Fetch anew, without reading the store."""
    tags: tuple[str, ...] = ()
    """Kept with the stored response, to find and delete it by."""
    when_kept: bool = False
    """``expiry`` is for the response to this request; a response that is stored already keeps its own."""


NO_OPTIONS = Options()


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request as it would go out: one hop, every field final.

    :ivar body: the content; ``b""`` for none, None where it cannot be known without consuming it.
    :ivar peer: what decides whom the client talks to, where it is not the default (unverified TLS, another CA, a
        client certificate, a server name): it separates entries.
    """

    method: str
    url: str
    headers: Headers = EMPTY
    body: bytes | None = b""
    peer: str = ""
    options: Options = NO_OPTIONS

    def __repr__(self) -> str:
        said = [repr(self.method), repr(redact(self.url)), repr(self.headers)]
        if self.body != b"":
            said.append("body unknown" if self.body is None else f"body of {len(self.body)} bytes")
        if self.peer:
            said.append(f"peer={_UNSHOWN}")
        if self.options is not NO_OPTIONS:
            said.append(repr(self.options))
        return f"Request({', '.join(said)})"


class Received(msgspec.Struct, frozen=True):
    """The head of a response from the network.

    :ivar requested_at: when the request was sent (RFC 9111 §4.2.3, *request_time*).
    :ivar received_at: when its head had come (*response_time*).
    :ivar version: that of HTTP, in tenths.
    """

    status: int
    reason: str
    headers: Headers
    requested_at: float
    received_at: float
    version: int = HTTP_1_1


class Kept(NamedTuple):
    """A response about to be stored, as ``filter_fn`` sees it; ``body`` is None above 64 KiB."""

    status: int
    reason: str
    headers: Headers
    body: bytes | None


class Unreachable(msgspec.Struct, frozen=True):
    """The network gave no response: a value, since a stored response may still be used (RFC 9111 §4.2.4)."""

    error: Exception
    at: float
