"""Stored responses, record by record: opened and verified where it can be, filtered, sorted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import translate
from typing import Any, Final, NamedTuple, Self

from sansio_cache.errors import SettingError
from sansio_cache.keys import Keys
from sansio_cache.messages import Request
from sansio_cache.records import Flaw, Record, open_record
from sansio_cache.urls import normalise, split
from sansio_cache_adapters.stores.protocol import Listed

from .errors import Trouble, WrongUse
from .output import note
from .place import OpenCache
from .text import plain, shown_url
from .units import moment_text

__all__ = ["SORTS", "FoundRecord", "ShownRow", "Wanted", "check_found", "found_of", "named", "walk"]

_KEY: Final = re.compile(r"[0-9a-f]{6,64}")


class ShownRow(NamedTuple):
    """A stored response as it is shown.

    :ivar key: of its partition, hexadecimal: it tells users and Vary's variants apart.
    :ivar state: ``fresh`` or ``stale``, by the time stored with it; else what is wrong with it.
    :ivar stored_at: POSIX seconds, as ``expires_at``, which is infinite for never.
    """

    url: str
    method: str
    status: int
    state: str
    size: int
    stored_at: float
    expires_at: float
    tags: tuple[str, ...]
    key: str

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.state in ("fresh", "stale")

    @property
    def host(self) -> str:
        """Its host, and port where that is not the scheme's."""
        parts = split(self.url)
        return parts.host + (f":{parts.port}" if parts.port else "")

    def as_json(self) -> dict[str, Any]:
        """It as data, every value safe to print."""
        return {
            "url": self.url,
            "method": self.method,
            "status": self.status,
            "state": self.state,
            "size": self.size,
            "stored_at": moment_text(self.stored_at),
            "expires_at": moment_text(self.expires_at),
            "tags": list(self.tags),
            "key": self.key,
        }


class FoundRecord(NamedTuple):
    """A record, how it is shown, and where it lies."""

    row: ShownRow
    listed: Listed
    opened: Record | Flaw

    @property
    def variant(self) -> str:
        """What tells it from others under its key, hexadecimal."""
        variant = self.listed.variant
        return variant.hex() if isinstance(variant, bytes) else ""


SORTS: Final[Mapping[str, Callable[[ShownRow], Any]]] = {
    "url": lambda row: (row.url, row.method, row.key),
    "stored": lambda row: row.stored_at,
    "expires": lambda row: row.expires_at,
    "size": lambda row: row.size,
    "status": lambda row: (row.status, row.url),
    "host": lambda row: (row.host, row.url),
    "state": lambda row: (row.state, row.url),
}
"""By what rows are sorted."""


def walk(
    opened: OpenCache, tick: Callable[[], None] = lambda: None, only: Callable[[Listed], bool] = lambda listed: True
) -> Iterator[FoundRecord]:
    """Every record, opened, in the store's own order.

    :param only: which of them, as far as that can be told before they are opened.
    """
    place, sealer = opened.rules.place, opened.sealer
    for listed in opened.store.listed():
        tick()
        if only(listed):
            found = open_record(listed.stored, Keys(listed.resource, listed.partition), place, sealer)
            yield FoundRecord(_row(listed, found, opened), listed, found)


def found_of(opened: OpenCache, wanted: Wanted, tick: Callable[[], None] = lambda: None) -> Iterator[FoundRecord]:
    """The records that are wanted."""
    return (each for each in walk(opened, tick) if wanted.takes(each.row))


def _row(listed: Listed, found: Record | Flaw, opened: OpenCache) -> ShownRow:
    if isinstance(found, Record):
        head = found.head
        key = head.partition.hex()
        state = "fresh" if head.stale_at > opened.now else "stale"
        shown = shown_url(head.url), plain(head.method), head.status, state, head.length
        return ShownRow(*shown, head.received_at, head.stale_at, head.tags, key)
    # The columns beside the sealed record may hold values of any type.
    key = listed.partition.hex() if isinstance(listed.partition, bytes) else ""
    stored_at, expires_at = _number(listed.received_at), _number(listed.stale_at)
    state = found.value
    if opened.unverified and found is Flaw.KEYLESS:
        state = "fresh" if expires_at > opened.now else "stale"
    url, method = shown_url(str(listed.url)), plain(str(listed.method))
    status, size = int(min(_number(listed.status), 999)), int(min(_number(listed.size), 1 << 53))
    return ShownRow(url, method, status, state, size, stored_at, expires_at, tuple(map(str, listed.tags)), key)


def _number(value: object) -> float:
    """A time or a size; 0 for what is none. A time that is infinite is never, and is shown so."""
    return float(value) if isinstance(value, int | float) and (0 <= value < 1 << 53 or value == math.inf) else 0.0


class Wanted(NamedTuple):
    """Which records a command is about; an option that is not given takes all."""

    urls: tuple[re.Pattern[str], ...] = ()
    hosts: tuple[re.Pattern[str], ...] = ()
    statuses: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    state: str = ""
    invalid: bool = False
    before: float = math.inf
    since: float = -math.inf
    larger: float = -1.0
    smaller: float = math.inf

    @staticmethod
    def names() -> tuple[str, ...]:
        """The parameters of the options that make one."""
        return (
            "hosts",
            "statuses",
            "methods",
            "tags",
            "fresh",
            "stale",
            "invalid",
            "older",
            "newer",
            "larger",
            "smaller",
        )

    @classmethod
    def of(cls, given: Mapping[str, Any], now: float) -> Self:
        """The criteria that the options give.

        :raises WrongUse: for what is no status.
        """
        if given["fresh"] and given["stale"]:
            raise WrongUse("give --fresh or --stale, not both")
        statuses = tuple(each.lower() for each in given["statuses"])
        for each in statuses:
            if not re.fullmatch(r"[1-9]([0-9]{2}|xx)", each, re.ASCII):
                raise WrongUse(f"--status takes a status such as 200, or 4xx for all that begin so, not {each!r}")
        return cls(
            hosts=tuple(re.compile(translate(each), re.IGNORECASE) for each in given["hosts"]),
            statuses=statuses,
            methods=tuple(each.upper() for each in given["methods"]),
            tags=tuple(given["tags"]),
            state="fresh" if given["fresh"] else "stale" if given["stale"] else "",
            invalid=given["invalid"],
            before=_at(given["older"], now, math.inf),
            since=_at(given["newer"], now, -math.inf),
            larger=-1.0 if given["larger"] is None else given["larger"],
            smaller=math.inf if given["smaller"] is None else given["smaller"],
        )

    def with_urls(self, globs: Iterable[str], *, whole: bool = False) -> Self:
        """The same of URLs that match any of some globs.

        :param whole: one without ``*`` is a whole URL; else the beginning of one.
        """
        return self._replace(urls=tuple(_glob(each, "" if whole or "*" in each else "*") for each in globs))

    @property
    def everything(self) -> bool:
        """Whether nothing was given."""
        return self == type(self)()

    def takes(self, row: ShownRow) -> bool:
        """Whether a record is wanted."""
        return (
            (not self.urls or any(each.match(row.url) for each in self.urls))
            and (not self.hosts or any(each.match(row.host) for each in self.hosts))
            and (
                not self.statuses or {str(row.status), f"{str(row.status)[:1]}xx"}.intersection(self.statuses) != set()
            )
            and (not self.methods or row.method in self.methods)
            and (not self.tags or not set(self.tags).isdisjoint(row.tags))
            and (not self.state or row.state == self.state)
            and (not self.invalid or not row.usable)
            and self.since <= row.stored_at <= self.before
            and self.larger < row.size < self.smaller
        )


def check_found(count: int, wanted: Wanted, opened: OpenCache) -> None:
    """Tell where nothing is shown: a pattern that matches nothing looks like an empty cache otherwise.

    :raises Trouble: something was asked for.
    """
    if count:
        return
    entries = opened.store.size().entries
    said = f"none of {entries} stored responses is what was asked for"
    if not entries:
        said = f"nothing is stored in {plain(opened.store.location)}"
    if not wanted.everything:
        raise Trouble(said, Trouble.FOUND)
    note(said)


def _at(age: float | None, now: float, otherwise: float) -> float:
    return otherwise if age is None else now - age if age >= 0 else -age


def _glob(text: str, tail: str) -> re.Pattern[str]:
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "*", text
    # An answer to a query is found by its URL as it stands: ? is no letter here, and [ no choice.
    parts = [re.escape(part) for part in f"{scheme}://{rest}{tail}".split("*")]
    return re.compile(".*".join(parts) + r"\Z", re.DOTALL)


def named(opened: OpenCache, url: str, *, method: str | None = None, key: str | None = None) -> list[FoundRecord]:
    """The records of a URL, as it was asked for or as it is shown; or of a key, or its beginning.

    Those that can be used come first, those with a body before the answers to HEAD, the newest of them first.

    :param key: the beginning of a key, or of what tells several of one key apart.
    :raises Trouble: there is none.
    """
    found = [
        each
        for each in walk(opened, only=_finder(opened, url))
        if (method is None or each.row.method == method.upper())
        and (each.row.key.startswith(key or "") or each.variant.startswith(key or ""))
    ]
    if not found:
        raise Trouble(f"nothing is stored for {shown_url(url) if '://' in url else plain(url)}", Trouble.FOUND)
    return sorted(found, key=_preferred)


def _preferred(found: FoundRecord) -> tuple[bool, bool, float]:
    return isinstance(found.opened, Flaw), found.row.method == "HEAD", -found.row.stored_at


def _finder(opened: OpenCache, url: str) -> Callable[[Listed], bool]:
    if "://" not in url:
        if not _KEY.fullmatch(url):
            raise WrongUse(
                f"{plain(url)} is no URL: it begins with http:// or https://, or is a key as ls --json shows"
            )
        return lambda listed: isinstance(listed.partition, bytes) and listed.partition.hex().startswith(url)
    try:
        resource = opened.rules.maker.resource(Request("GET", url))
    except SettingError as error:
        raise WrongUse(str(error)) from None
    shown = {shown_url(url), shown_url(normalise(url)[0])}
    return lambda listed: listed.resource == resource or shown_url(str(listed.url)) in shown
