"""Stored responses as people and programs see them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from unittest.mock import ANY, call

import pytest
from core_rows import BODY, NOW, ask, got, item_of, record_of, rules_of, stored_of
from scripted import Row, played, scripted_engine

from sansio_cache.errors import StoreError
from sansio_cache.messages import Headers
from sansio_cache.records import Record, open_record
from sansio_cache_adapters.cache.reading import StoredResponse, fetched, shown, whole_body, without_coding

RULES = rules_of()
KEYS = RULES.maker.keys(ask())
LOAD = call.load(KEYS.partition)
OLD, NEW = (stored_of(item_of(got("Cache-Control: max-age=60", at=NOW + at)), int(at) + 1) for at in (0.0, 5.0))
FOREIGN = stored_of(item_of(got(), ask(url="https://example.org/b")))


def test_records_of_a_partition_come_newest_first_and_only_those_that_open() -> None:
    broken = OLD._replace(sealed=b"broken")
    found = played(fetched(scripted_engine(), RULES, KEYS.partition), (LOAD, [OLD, broken, FOREIGN, NEW]))
    assert [each.head.received_at for each in found] == [NOW + 5.0, NOW]


def without_body() -> Record:
    record = open_record(OLD._replace(body=None), KEYS, RULES.place, RULES.sealer)
    assert isinstance(record, Record)
    return record


@pytest.mark.parametrize(
    ("record", "script", "body"),
    [
        (record_of(), [], BODY),
        (record_of(body=b""), [], b""),
        (without_body(), [(LOAD, [OLD])], BODY),
        (without_body(), [(LOAD, [OLD._replace(body=None)]), (call.chunk(OLD.entry, 0), BODY)], BODY),
        (without_body(), [(LOAD, []), (call.chunk(OLD.entry, 0), BODY)], BODY),
    ],
    ids=["at hand", "empty", "beside its head", "in a chunk", "gone from the list"],
)
def test_a_whole_body(record: Record, script: list[Row], body: bytes) -> None:
    assert played(whole_body(scripted_engine(), RULES, record), *script) == body


def test_a_body_that_is_gone_says_so() -> None:
    script: list[Row] = [(LOAD, []), (call.chunk(OLD.entry, 0), StoreError("gone")), (call.change([ANY], None), 1)]
    with pytest.raises(StoreError, match="gone"):
        played(whole_body(scripted_engine(), RULES, without_body()), *script)


def test_a_record_as_it_is_shown() -> None:
    seen = shown(record_of("Cache-Control: max-age=60", "A: b", status=404), b"body")
    assert (seen.key, seen.url, seen.method, seen.status) == (KEYS.partition.hex(), ask().url, "GET", 404)
    assert (seen.headers.get("a"), seen.body, seen.ok) == ("b", b"body", False)
    assert seen.stored_at == datetime.fromtimestamp(NOW, UTC)
    assert seen.expires_at == datetime.fromtimestamp(NOW + 60.0, UTC)


def response(coding: str, body: bytes, status: int = 200) -> StoredResponse:
    headers = Headers([("Content-Encoding", coding)] if coding else [])
    return StoredResponse("", "GET", "", status, "", headers, body, None, None)


@pytest.mark.parametrize(
    ("coding", "body", "content"),
    [
        ("", b"body", b"body"),
        ("identity", b"body", b"body"),
        (" Identity ", b"body", b"body"),
        ("gzip", gzip.compress(b"body"), b"body"),
        ("GZIP", gzip.compress(b"body"), b"body"),
        ("gzip", b"", b""),
        ("unheard-of", b"", b""),
    ],
)
def test_the_content_is_without_its_coding(coding: str, body: bytes, content: bytes) -> None:
    assert response(coding, body).content == content
    assert without_coding(coding, body) == content


@pytest.mark.parametrize(
    ("coding", "body"), [("unheard-of", b"body"), ("gzip", b"body"), ("gzip", gzip.compress(b"")[:-1])]
)
def test_a_coding_that_cannot_be_taken_off(coding: str, body: bytes) -> None:
    with pytest.raises(ValueError, match="coded with unheard-of" if coding != "gzip" else "gzip"):
        response(coding, body).content  # noqa: B018


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [("", b"J\xc3\xb8rgen", "J\xf8rgen"), ("text/plain; charset=iso-8859-1", b"J\xf8rgen", "J\xf8rgen")],
)
def test_the_text_is_in_the_charset_that_is_said(kind: str, body: bytes, text: str) -> None:
    headers = Headers([("Content-Type", kind)] if kind else [])
    assert StoredResponse("", "GET", "", 200, "", headers, body, None, None).text == text


@pytest.mark.parametrize(("status", "ok"), [(200, True), (399, True), (400, False), (500, False)])
def test_what_is_ok(status: int, ok: bool) -> None:
    assert response("", b"", status).ok is ok
