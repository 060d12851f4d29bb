"""The rules of a session over a store: what is looked up, opened, matched and complained of (RFC 9111 §4, G5)."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import BODY, DATE, META, NOW, SECRET, URL, ask, got, item_of, rows, rules_of, stored_of

from sansio_cache.cache_status import Fwd
from sansio_cache.dates import format_date
from sansio_cache.decisions import Answer, Bypass, Forward, LookUp, Pass, Refuse, Reuse
from sansio_cache.errors import NotCached
from sansio_cache.expiry import DO_NOT_CACHE
from sansio_cache.messages import Options, Request
from sansio_cache.policy import Policy
from sansio_cache.records import Flaw, Record, Stored
from sansio_cache.rules import Rules
from sansio_cache.sealing import Sealer

FRESH = "Cache-Control: max-age=60"
ONLY = Options(only_if_cached=True)
ANEW = Options(force_refresh=True)


def planned(request: Request, **settings: Any) -> str:
    match rules_of(Policy(**settings)).plan(request):
        case LookUp():
            return "LookUp"
        case Bypass(fwd, reason):
            return f"Bypass {fwd} {reason}"
        case Refuse(answer):
            return f"Refuse {answer.status if isinstance(answer, Answer) else type(answer).__name__}"


def test_of_very_many_rows_the_last_are_opened() -> None:
    """G29, G31: anyone who can write to a store can put more there than variants are ever kept."""
    for limit, most in ((32, 256), (300, 300)):
        rules = rules_of(Policy(vary_limit=limit), secret=SECRET)
        good = stored_of(item_of(got(FRESH), ask(), rules))
        stray = [Stored(b"junk", None, b"", number) for number in range(1000)]
        records, flaws = rules.open([*stray, good], rules.maker.keys(ask()))
        assert [record.stored for record in records] == [good]
        assert len(flaws) == most - 1


@rows(
    "request_ settings expected",
    ("GET", "4", ask(), {}, "LookUp"),
    ("HEAD", "4", ask(method="HEAD"), {}, "LookUp"),
    ("an unsafe method is written through", "4", ask(method="POST"), {}, "Bypass method method"),
    ("a method nobody knows", "4", ask(method="M-SEARCH"), {}, "Bypass method method"),
    ("one that was opted in", "settings", ask(method="POST"), {"allowed_methods": ["POST"]}, "LookUp"),
    (
        "a body that cannot be read twice",
        "G14",
        ask(method="POST", body=None),
        {"allowed_methods": ["POST"]},
        "Bypass request body-not-known",
    ),
    ("a URL longer than is kept", "G31", ask(url=URL + "?" + "a" * 65_536), {}, "Bypass request request-too-large"),
    (
        "more fields than are kept",
        "G31",
        ask(*(f"A{n}: b" for n in range(1001))),
        {},
        "Bypass request request-too-large",
    ),
    (
        "a body longer than is hashed",
        "G31",
        ask(method="POST", body=bytes(8_388_609)),
        {"allowed_methods": ["POST"]},
        "Bypass request request-too-large",
    ),
    ("a WebSocket handshake", "dropin", ask("Upgrade: websocket"), {}, "Bypass request upgrade"),
    ("DO_NOT_CACHE", "settings", ask(), {"expire_after": DO_NOT_CACHE}, "Bypass bypass do-not-cache"),
    ("no-store", "5.2.1.5", ask("Cache-Control: no-store"), {}, "Bypass request request-no-store"),
    (
        "no-store, in a plain TTL cache",
        "5.2.1.5",
        ask("Cache-Control: no-store"),
        {"cache_control": False},
        "Bypass request request-no-store",
    ),
    ("to be fetched anew", "settings", ask(options=ANEW), {}, "LookUp"),
    ("only-if-cached", "5.2.1.7", ask("Cache-Control: only-if-cached"), {}, "LookUp"),
    ("only-if-cached and no-store", "5.2.1.7", ask("Cache-Control: only-if-cached, no-store"), {}, "Refuse 504"),
    ("only-if-cached and unsafe", "5.2.1.7", ask(method="POST", options=ONLY), {}, "Refuse 504"),
    ("only-if-cached and anew", "5.2.1.7", ask("Cache-Control: only-if-cached", options=ANEW), {}, "Refuse 504"),
    (
        "only_if_cached and anew",
        "5.2.1.7",
        ask(options=Options(only_if_cached=True, force_refresh=True)),
        {},
        "Refuse 504",
    ),
    ("offline", "settings", ask(), {"offline": True}, "LookUp"),
    ("offline and anew", "settings", ask(options=ANEW), {"offline": True}, "LookUp"),
    ("offline and unsafe: it may have been kept", "settings", ask(method="POST"), {"offline": True}, "LookUp"),
    ("offline and no-store", "settings", ask("Cache-Control: no-store"), {"offline": True}, "Refuse NotCached"),
    (
        "offline and not to be cached",
        "settings",
        ask(),
        {"offline": True, "expire_after": DO_NOT_CACHE},
        "Refuse NotCached",
    ),
)
def test_a_request_is_looked_up_or_not(request_: Request, settings: dict[str, Any], expected: str) -> None:
    assert planned(request_, **settings) == expected


def test_what_is_looked_up_has_the_keys_of_the_request() -> None:
    rules = rules_of()
    assert rules.plan(ask()) == LookUp(rules.maker.keys(ask()))


# Opening and matching


def opened(rules: Rules, *rows_: tuple[list[str], Request], status: int = 200) -> list[Record]:
    """The records of responses stored for requests, in the order that the rules prefer."""
    stored = [
        stored_of(item_of(got(*lines, status=status), request, rules, body=str(at).encode()))
        for at, (lines, request) in enumerate(rows_)
    ]
    records, flaws = rules.open(stored, rules.maker.keys(ask()))
    assert flaws == []
    return records


def test_variants_that_name_very_many_fields_are_not_all_compared() -> None:
    """G31: two of 600 each are a miss for the second, and no request field is hashed twice."""
    rules = rules_of()
    lists = [", ".join(f"{letter}{number}" for number in range(600)) for letter in "abb"]
    records = [opened(rules, ([DATE, FRESH, f"Vary: {names}"], ask()))[0] for names in lists]
    assert rules.matching(ask(), records) == records[:1]
    assert rules.matching(ask(), records[1:]) == records[1:]


def test_codings_that_nobody_counts_are_no_match() -> None:
    """G31: a record that we did not make may have any."""
    records = opened(rules_of(), ([DATE, FRESH, "Content-Encoding: gzip" + ", gzip" * 1000], ask()))
    assert rules_of().matching(ask(), records) == []


def test_what_opens_and_what_does_not_is_told_apart() -> None:
    rules = rules_of(secret=SECRET)
    good = stored_of(item_of(got(FRESH), ask(), rules))
    records, flaws = rules.open([Stored(b"junk", None, b"", 1), good], rules.maker.keys(ask()))
    assert [record.stored for record in records] == [good]
    assert flaws == [Flaw.UNREADABLE]


@rows(
    "one other first",
    ("the newer by Date", "4", [f"Date: {format_date(NOW - 9)}", "Vary: A"], [DATE, "Vary: B"], 1),
    ("whatever the order", "4", [DATE, "Vary: A"], [f"Date: {format_date(NOW - 9)}", "Vary: B"], 0),
    ("of one variant the later row", "4", [DATE], [f"Date: {format_date(NOW - 9)}"], 1),
    ("one with Vary before one without", "4.1", [DATE], [f"Date: {format_date(NOW - 9)}", "Vary: Accept"], 1),
    (
        "of two with Vary the newer",
        "4.1",
        [f"Date: {format_date(NOW - 9)}", "Vary: Accept"],
        [DATE, "Vary: Accept, A"],
        1,
    ),
)
def test_the_preferred_record_comes_first(one: list[str], other: list[str], first: int) -> None:
    records = opened(rules_of(), (one, ask()), (other, ask()))
    assert records[0].stored.body == str(first).encode()


@rows(
    "stored_request lines request_ expected",
    ("without Vary", "4.1", ask("Foo: 1"), [], ask("Foo: 2"), True),
    ("the same value", "4.1", ask("Foo: 1"), ["Vary: Foo"], ask("Foo: 1"), True),
    ("another value", "4.1", ask("Foo: 1"), ["Vary: Foo"], ask("Foo: 2"), False),
    ("absent from the request", "4.1", ask("Foo: 1"), ["Vary: Foo"], ask(), False),
    ("absent from the stored request", "4.1", ask(), ["Vary: Foo"], ask("Foo: 1"), False),
    ("absent from both", "4.1", ask(), ["Vary: Foo"], ask(), True),
    ("two fields, one differs", "4.1", ask("Foo: 1", "Bar: 1"), ["Vary: Foo, Bar"], ask("Foo: 1", "Bar: 2"), False),
    ("two fields on two lines", "4.1", ask("Foo: 1", "Bar: 1"), ["Vary: Foo", "Vary: Bar"], ask("Foo: 1"), False),
    ("a field that is not named", "4.1", ask("Foo: 1", "Bar: 1"), ["Vary: Foo"], ask("Foo: 1", "Bar: 2"), True),
    ("lines combined", "4.1", ask("Foo: 1, 2"), ["Vary: Foo"], ask("Foo: 1", "Foo: 2"), True),
)
def test_vary_selects(stored_request: Request, lines: list[str], request_: Request, expected: bool) -> None:
    rules = rules_of()
    records = opened(rules, ([FRESH, *lines], stored_request))
    assert bool(rules.matching(request_, records)) is expected


@rows(
    "stored method expected",
    ("GET for GET", "4", "GET", "GET", True),
    ("GET for HEAD", "9110-9.3.2", "GET", "HEAD", True),
    ("HEAD for HEAD", "9110-9.3.2", "HEAD", "HEAD", True),
    ("HEAD never for GET", "G14", "HEAD", "GET", False),
)
def test_the_method_selects(stored: str, method: str, expected: bool) -> None:
    rules = rules_of()
    records = opened(rules, ([FRESH], ask(method=stored)))
    assert bool(rules.matching(ask(method=method), records)) is expected


@rows(
    "lines undecodable expected",
    ("no coding", "8.4", [], ["zstd"], True),
    ("a coding that this client knows", "8.4", ["Content-Encoding: gzip"], ["zstd"], True),
    ("one that it does not", "8.4", ["Content-Encoding: ZSTD"], ["zstd"], False),
    ("one of two", "8.4", ["Content-Encoding: gzip, zstd"], ["zstd"], False),
    ("on two lines", "8.4", ["Content-Encoding: gzip", "Content-Encoding: zstd"], ["zstd"], False),
)
def test_a_coding_that_this_client_cannot_decode_is_no_match(
    lines: list[str], undecodable: list[str], expected: bool
) -> None:
    rules = rules_of(undecodable=undecodable)
    assert bool(rules.matching(ask(), opened(rules, ([FRESH, *lines], ask())))) is expected


@rows(
    "lines status settings options expected",
    ("what it would store", "reader", [FRESH], 200, {}, Options(), True),
    ("no-store, kept by a plain TTL cache", "reader", [FRESH, "Cache-Control: no-store"], 200, {}, Options(), False),
    (
        "for a plain TTL cache",
        "reader",
        [FRESH, "Cache-Control: no-store"],
        200,
        {"cache_control": False},
        Options(),
        True,
    ),
    ("no freshness, kept for a user's time", "reader", [], 200, {}, Options(), False),
    ("for a user's time", "reader", [], 200, {"expire_after": 60}, Options(), True),
    ("a code that it does not store", "reader", [FRESH], 404, {"allowed_codes": [200]}, Options(), False),
)
def test_a_reader_takes_only_what_it_would_have_stored(
    lines: list[str], status: int, settings: dict[str, Any], options: Options, expected: bool
) -> None:
    """A strict session never serves what another policy kept."""
    rules = rules_of(Policy(**settings))
    records = opened(rules, (lines, ask()), status=status)
    assert bool(rules.matching(ask(options=options), records)) is expected


def test_what_vary_names_is_kept_as_a_keyed_hash() -> None:
    """G26."""
    rules = rules_of()
    tag = rules.vary_tag("accept", ask("Accept: a").headers)
    assert tag == rules.maker.tag(b"accept\0=a")
    assert tag != rules_of(meta=META._replace(salt=b"x" * 32)).vary_tag("accept", ask("Accept: a").headers)


# The rules as one


def test_the_rules_choose_and_judge() -> None:
    rules = rules_of()
    [record] = opened(rules, ([FRESH], ask()))
    assert isinstance(rules.choose(ask(), [record], NOW), Reuse)
    forward = rules.choose(ask(), [], NOW)
    assert isinstance(forward, Forward)
    keys = rules.maker.keys(ask())
    assert isinstance(rules.judge(ask(), forward, got(status=500), keys), Pass)
    assert isinstance(rules.judge_bypass(ask(), got(), Bypass(Fwd.METHOD, "method")), Pass)


# G5


@rows(
    "flaws settings reason",
    ("no flaw", "G5", [], {}, None),
    ("a signature that no key verifies", "G5", [Flaw.SIGNATURE], {}, "signature"),
    ("another place", "G5", [Flaw.PLACE], {}, "place"),
    ("another body", "G2", [Flaw.BODY], {}, "body"),
    ("behind others", "G5", [Flaw.FOREIGN, Flaw.PLACE], {}, "place"),
    ("not signed", "G5", [Flaw.UNSIGNED], {}, None),
    ("foreign", "G5", [Flaw.FOREIGN], {}, None),
    ("truncated", "G5", [Flaw.UNREADABLE], {}, None),
    ("keyless", "G5", [Flaw.KEYLESS], {}, None),
    ("the user goes on", "G5", [Flaw.SIGNATURE], {"on_bad_signature": "miss"}, None),
)
def test_a_tampered_record_is_complained_of(flaws: list[Flaw], settings: dict[str, Any], reason: str | None) -> None:
    rules = rules_of(Policy(**settings), secret=SECRET)
    keys = rules.maker.keys(ask())
    error = rules.complaint(ask(), keys, flaws)
    if reason is None:
        assert error is None
    else:
        assert error is not None
        assert (error.url, error.key, error.reason) == (ask().url, keys.partition.hex(), reason)


@pytest.mark.parametrize("flaw", [Flaw.BODY, Flaw.PLACE])
def test_without_a_secret_a_flaw_is_a_miss(flaw: Flaw) -> None:
    rules = rules_of()
    assert rules.complaint(ask(), rules.maker.keys(ask()), [flaw]) is None


def test_a_record_moved_to_another_url_is_such_a_flaw() -> None:
    rules = rules_of(secret=SECRET)
    moved = stored_of(item_of(got(FRESH), ask(url="https://example.org/other"), rules))
    assert rules.open([moved], rules.maker.keys(ask())) == ([], [Flaw.PLACE])
    forged = Stored(Sealer([b"x" * 16]).seal(b""), BODY, b"", 1)
    assert rules.open([forged], rules.maker.keys(ask())) == ([], [Flaw.UNREADABLE])


def test_offline_says_which_url() -> None:
    refused = rules_of(Policy(offline=True)).plan(ask(method="POST", body=None))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.answer, NotCached)
    assert refused.answer.url == ask().url
