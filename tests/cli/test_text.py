"""What strangers have written is shown without what a terminal obeys, and without secrets."""

from __future__ import annotations

import pytest
from clock import Clock
from command_line import Command
from local_origin import Origin, Reply

from sansio_cache import CachedSession
from sansio_cache.messages import Headers
from sansio_cache_adapters.cli.text import plain, plain_block, shown_fields


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain and Grüße and 日本", "plain and Grüße and 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("bell\x07, \x9b, \x7f", "bell\\x07, \\x9b, \\x7f"),
        ("two\nlines\ttab", "two\\x0alines\\x09tab"),
        ("\u202eback", "\\u202eback"),
        ("zero\u200bwidth \ufeff", "zero\\u200bwidth \\ufeff"),
        ("lone \ud800", "lone \\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("line\u2028separator", "line\\u2028separator"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_block_keeps_its_lines() -> None:
    assert plain_block("a\n\tb\r\x1bc") == "a\n\tb\\x0d\\x1bc"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("X-Auth-Token", "s3cret", "REDACTED"),
        ("Set-Cookie", "session=s3cret", "REDACTED"),
        ("Location", "https://me:pw@example.org/?access_token=s3cret&a=1",
         "https://example.org/?access_token=REDACTED&a=1"),
        ("Location", "/next?access_token=s3cret&a=1", "/next?access_token=REDACTED&a=1"),
        ("Location", "//example.org/a", "//example.org/a"),
        ("Link", '<https://example.org/?sig=s3cret>; rel="next"', '<https://example.org/?sig=REDACTED>; rel="next"'),
        ("X-Where", "see https://me:pw@example.org/ there", "see https://example.org/ there"),
        ("Etag", '"abc"', '"abc"'),
        ("Cache-Control", "max-age=60", "max-age=60"),
    ],
)  # fmt: skip
def test_fields_without_secrets(name: str, value: str, shown: str) -> None:
    assert shown_fields(Headers([(name, value)]), secrets=False) == [(name, shown)]
    assert shown_fields(Headers([(name, value)]), secrets=True) == [(name, value)]


def test_a_head_that_is_hostile(command: Command, origin: Origin, place: str, clock: Clock) -> None:
    fields = {"Cache-Control": "max-age=60", "X-Evil": "\x1b]0;owned\x07\x9b"}
    url = origin.on("/", Reply(b"x", fields=fields, reason="O\x1b[2JK"))
    with CachedSession(place, clock=clock) as session:
        session.get(url)
    for arguments in (["show", url], ["show", url, "--secrets"], ["show", url, "--json"], ["get", url, "-i", "-v"]):
        ran = command(*arguments)
        assert ran.status == 0
        assert not {"\x1b", "\x07", "\x9b"} & {*ran.out, *ran.err}, arguments
    assert "X-Evil: \\x1b]0;owned\\x07\\x9b" in command("show", url).out
