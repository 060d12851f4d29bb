"""G12: Vary: all lines, ``*`` in any place and spelling, several variants of one URL, bounded."""

from __future__ import annotations

from typing import Any

import pytest
from local_origin import Origin, Reply, Seen


def varying(origin: Origin, *lines: str) -> str:
    """The URL of a response with these Vary lines, whose body counts the fetches."""

    def answer(_: Seen) -> Reply:
        return Reply(
            str(origin.count()).encode(), fields=[("Cache-Control", "max-age=60"), *(("Vary", line) for line in lines)]
        )

    return origin.on("/a", answer)


@pytest.mark.parametrize(
    "lines", [["*"], [" * "], ["Accept, *"], ["*, Accept"], ["Accept", "*"], ["\t*"], ["a b"], ["()"]]
)
def test_anything(session: Any, origin: Origin, lines: list[str]) -> None:
    """G12: never reused, nor is a member that is no field name."""
    url = varying(origin, *lines)
    assert [session.get(url).content for _ in range(3)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "lines", [["Accept"], ["ACCEPT"], ["X-Other, accept"], ["X-Other", "Accept"], [" Accept ,,"], ["accept, Accept"]]
)
def test_a_field_that_is_named_separates(session: Any, origin: Origin, lines: list[str]) -> None:
    """G12: in any line, case and place; absent is a value too."""
    url = varying(origin, *lines)
    asked: list[dict[str, Any]] = [
        {"Accept": "a"},
        {"Accept": "b"},
        {"Accept": None},
        {"Accept": "a"},
        {"Accept": None},
    ]
    assert [session.get(url, headers=fields).content for fields in asked] == [b"1", b"2", b"3", b"1", b"3"]


def test_two_fields(session: Any, origin: Origin) -> None:
    """G12: both must match."""
    url = varying(origin, "X-A, X-B")
    asked = [{"X-A": "1", "X-B": "2"}, {"X-A": "2", "X-B": "1"}, {"X-A": "12"}, {"X-B": "2", "X-A": "1"}]
    assert [session.get(url, headers=fields).content for fields in asked] == [b"1", b"2", b"3", b"1"]


def test_variants_are_bounded(sessions: Any, origin: Origin) -> None:
    """G12: by ``vary_limit``; the longest unused go."""
    session = sessions(vary_limit=3)
    url = varying(origin, "X-A")
    for number in range(10):
        session.get(url, headers={"X-A": str(number)})
    assert session.cache.size().entries == 3
    assert session.get(url, headers={"X-A": "9"}).from_cache
    assert not session.get(url, headers={"X-A": "0"}).from_cache


def test_accept_encoding_is_a_set(session: Any, origin: Origin) -> None:
    """G12: its order and blanks mean nothing."""
    url = varying(origin, "Accept-Encoding")
    session.get(url, headers={"Accept-Encoding": "gzip, br"})
    assert session.get(url, headers={"Accept-Encoding": "br,gzip"}).from_cache
    assert not session.get(url, headers={"Accept-Encoding": "gzip"}).from_cache
    assert not session.get(url, headers={"Accept-Encoding": "gzip;q=0, br"}).from_cache


def test_a_stored_variant_without_vary_does_not_hide_others(session: Any, origin: Origin) -> None:
    """G12: the most recent that matches answers (RFC 9111 §4)."""
    fields = {"Cache-Control": "max-age=60"}
    url = origin.on("/a", Reply(b"all", fields=fields), Reply(b"de", fields=fields | {"Vary": "Accept-Language"}))
    assert session.get(url).content == b"all"
    german = {"Accept-Language": "de"}
    assert session.get(url, headers=german, force_refresh=True).content == b"de"
    assert session.get(url, headers=german).from_cache
    assert session.get(url).content == b"all"
