"""What is fuzzed: functions of bytes that must never raise, and whose results must hold together.

``tests/fuzz/fuzz_core.py`` runs them guided by coverage; the tests run them briefly, the same way each time.
"""

from __future__ import annotations

import json
import pickle
import re
import sys
from collections.abc import Callable
from email.parser import Parser
from functools import partial
from http.client import HTTPMessage
from typing import Final

from core_rows import BODY, DATE, SECRET, ask, got, item_of, rules_of, stored_of
from field_shapes import FIELDS, Head
from measured import READINGS, fastest, is_one_step, step

from sansio_cache.cache_control import Directives, parse_cache_control, parse_targeted
from sansio_cache.dates import format_date, parse_date
from sansio_cache.messages import Headers
from sansio_cache.records import Flaw, Record, Stored, open_record
from sansio_cache.sealing import UNSIGNED
from sansio_cache.vary import ANYTHING, nominated, nominated_value
from sansio_cache_adapters.importing.report import Reason, Skipped
from sansio_cache_adapters.importing.sources import reader_of
from sansio_cache_adapters.importing.values import Values

__all__ = ["SEEDS", "TARGETS"]

RULES = rules_of(secret=SECRET)
KEYS = RULES.maker.keys(ask())
SEALED = item_of(got(DATE, "Cache-Control: max-age=60", "Vary: Accept"), ask("Accept: a"), RULES).sealed
PLAIN = item_of(got(DATE, "Cache-Control: max-age=60"), ask(), rules_of()).sealed


def _lines(data: bytes) -> list[str]:
    return data.decode("latin-1").split("\n")


def cache_control(data: bytes) -> None:
    """Directives can be read, a prohibition on a line of its own holds, and the same again is the same."""
    lines = _lines(data)
    read = parse_cache_control(lines)
    assert read == parse_cache_control(lines)
    times = (read.max_age, read.s_maxage, read.max_stale, read.min_fresh, read.stale_if_error)
    assert all(time is None or -1.0 <= time <= 2_147_483_648.0 for time in times)
    forbidden = parse_cache_control(["no-store, private, must-revalidate", *lines])
    assert forbidden.no_store
    assert forbidden.private is True
    assert forbidden.must_revalidate
    if not any(mark in line for line in lines for mark in '"\\'):
        assert parse_cache_control([*lines, "no-store"]).no_store
    assert isinstance(parse_targeted(lines), Directives | None)


def dates(data: bytes) -> None:
    """What is a date is one of a second that the grammar can spell, and is read the same from its usual form."""
    text = data.decode("latin-1")
    at = parse_date(text)
    if at is None:
        assert parse_date(text, 0.0) is None or "-" in text
    else:
        assert parse_date(format_date(at)) == at
        assert parse_date(text.swapcase()) == at


def vary(data: bytes) -> None:
    """Names are read in lower case, sorted, each once; a star anywhere is anything; values can be compared."""
    lines = _lines(data)
    headers = Headers(("Vary", line) for line in lines)
    names = nominated(headers)
    assert names == ANYTHING or list(names) == sorted({name.lower() for name in names})
    assert nominated(Headers([*headers, ("vary", "*")])) == ANYTHING
    for name in ("vary", "accept-encoding", "accept-language"):
        fields = Headers((name, line) for line in lines)
        assert nominated_value(name, fields) == nominated_value(name, Headers((name.upper(), line) for line in lines))


def records(data: bytes) -> None:
    """A store may give back anything: it opens to the record that was sealed, or to none."""
    for sealer, genuine in ((RULES.sealer, SEALED), (UNSIGNED, PLAIN)):
        framed = b"SCR1u" + len(data).to_bytes(4, "big") + data
        signed = RULES.sealer.seal(data)
        for sealed in (data, framed, signed, genuine[: len(data)] + data, data + genuine[len(data) :]):
            opened = open_record(Stored(sealed, BODY, b"", 1), KEYS, RULES.place, sealer)
            assert isinstance(opened, Flaw | Record)
            assert sealer is UNSIGNED or sealed in (genuine, signed) or isinstance(opened, Flaw)
    assert isinstance(open_record(Stored(SEALED, data, b"", 1), KEYS, RULES.place, RULES.sealer), Flaw | Record)


NAMES: Final = sorted({name for made in FIELDS.values() for name, _ in made(100)[:1] if len(name) < 30})
SLOWER: Final = 20 if "atheris" in sys.modules else 1
"""What is instrumented takes longer than what it is compared with."""
_SIZE: Final = 100_000
_NO_VALUE: Final = re.compile(r"[\r\n\0]")


def _head_of(data: bytes) -> Head:
    """A field that the first byte names, in the form that the second says, of the rest again and again.

    A byte 1 in it becomes a number that counts up.
    """
    name = NAMES[data[0] % len(NAMES)]
    unit = _NO_VALUE.sub("", data[2:].decode("latin-1")) or "a"
    count = _SIZE // (len(unit) + 5)
    values = [unit.replace("\1", str(number)) for number in range(count)]
    match data[1] % 3:
        case 0:
            return [(name, "".join(values))]
        case 1:
            return [(name, ",".join(values))]
        case _:
            return [(name, value) for value in values]


def _client_reads(head: Head) -> None:
    """What the standard library's client makes of the lines of a head."""
    Parser(_class=HTTPMessage).parsestr("".join(f"{name}: {value}\r\n" for name, value in head))


def heads(data: bytes) -> None:
    """100 kB of any field take no step longer than a loop may take, or than a few times the client's own reading."""
    if len(data) < 2:
        return
    head = _head_of(data)
    for name, read in READINGS.items():
        took = fastest(partial(read, head), 1)
        if not is_one_step(took / SLOWER):
            allowed = max(step(), 3 * fastest(partial(_client_reads, head))) * SLOWER
            took = fastest(partial(read, head), 5)
            assert took < allowed, f"{head[0][0]} in {name}: {took * 1000:.0f} ms"


READ = reader_of(Values(None), None)
FOREIGN = {
    "created_at": "2024-05-06T07:08:09+00:00",
    "headers": {"Content-Type": "text/plain"},
    "_content": "aGVsbG8=",
    "status_code": 200,
    "request": {"method": "GET", "url": "http://made-up.example/", "headers": {}},
}


def foreign(data: bytes) -> None:
    """What another library's cache holds is an entry whose parts are what they should be, or is refused by a reason."""
    reason = ""
    try:
        entry = READ(data)
        assert isinstance(entry.last.body, bytes)
        assert entry.last.received_at >= 0
        assert entry.last.request().url
    except Skipped as skipped:
        reason = skipped.reason
    assert reason in {"", *Reason}


TARGETS: dict[str, Callable[[bytes], None]] = {
    "foreign": foreign,
    "cache-control": cache_control,
    "dates": dates,
    "heads": heads,
    "vary": vary,
    "records": records,
}

SEEDS: dict[str, list[bytes]] = {
    "foreign": [
        *(pickle.dumps(FOREIGN, protocol) for protocol in (2, 3, 4, 5)),
        json.dumps(FOREIGN).encode(),
        "\n".join(f"{name}: {json.dumps(value)}" for name, value in FOREIGN.items()).encode(),
        b"\x80\x04cdatetime\ndatetime\n(C\x0a\x07\xea\x0b\x1e\x0b6\x02\x03\x08(tR.",
        b"\x16\x00\x00\x00\x02a\x00\x02\x00\x00\x00b\x00\x08c\x00\x01\x10d\x00\x01\x00\x00\x00\x00",
    ],
    "cache-control": [
        b'max-age=60, private="a, b", no-cache, no-store',
        b'ext="a, \\"no-store", s-maxage=5\nmax-stale, min-fresh=5',
        b"max-age =60, public; foo\nstale-if-error=5, stale-while-revalidate=5, immutable",
        b"must-revalidate, proxy-revalidate, must-understand, only-if-cached, no-transform",
    ],
    "dates": [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Thu, 31 Dec 1998 23:59:60 GMT",
    ],
    "heads": [
        bytes([NAMES.index("Cache-Control"), 1]) + b'no-cache="a\x01"',
        bytes([NAMES.index("Cache-Control"), 0]) + b'"\\a',
        bytes([NAMES.index("Vary"), 2]) + b"a\x01",
        bytes([NAMES.index("CDN-Cache-Control"), 0]) + b"a;b",
        bytes([NAMES.index("If-None-Match"), 1]) + b'"a',
        bytes([NAMES.index("Expires"), 2]) + b"Sun, 06 Nov 1994 08:49:37 GMT",
    ],
    "vary": [b"Accept, accept-encoding\nFoo", b"*", b"gzip;q=1.0, br ; q=0", b'"a, b", c'],
    "records": [SEALED, SEALED[9:-44], PLAIN, PLAIN[9:], stored_of(item_of(got())).sealed],
}
