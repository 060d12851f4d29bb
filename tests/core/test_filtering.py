"""``filter_fn`` of one argument: the response under the names that the clients have for it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from core_rows import ask

from sansio_cache.filtering import Decode, FilteredResponse, passes_filter
from sansio_cache.messages import Headers, Kept
from sansio_cache.policy import Policy

REQUEST = ask(url="https://example.org/a")


def kept(body: bytes | None, *lines: tuple[str, str], status: int = 200) -> Kept:
    return Kept(status, "OK", Headers(lines), body)


def passes(function: Any, response: Kept, decode: Decode | None = None) -> bool:
    """Whether a filter wants a response, called as its policy says."""
    policy = Policy(filter_fn=function)
    assert policy.filter_fn is function
    return passes_filter(function, policy.filter_arguments, REQUEST, response, decode)


def inflated(coding: str, data: bytes) -> Iterator[bytes]:
    assert coding == "deflate"
    yield zlib.decompress(data)


def test_two_arguments_are_the_request_and_the_response() -> None:
    seen: list[Any] = []
    response = kept(b"x")
    assert passes(lambda request, response: seen.extend([request, response]), response) is False
    assert seen == [REQUEST, response]


@pytest.mark.parametrize("answer", [True, False, 1, 0, "", None])
def test_its_truth_decides(answer: Any) -> None:
    assert passes(lambda response: answer, kept(b"")) is bool(answer)


def test_one_argument_is_the_response_with_the_names_that_clients_have() -> None:
    response = kept(
        b'{"a": "\xc3\xa4"}', ("Content-Type", "application/json; charset=utf-8"), ("X-A", "1"), ("x-a", "2")
    )
    seen = FilteredResponse(REQUEST, response, None)
    assert (seen.status, seen.status_code, seen.reason, seen.ok) == (200, 200, "OK", True)
    assert (seen.url, seen.method, seen.request, seen.from_cache) == (REQUEST.url, "GET", REQUEST, False)
    assert (seen.headers["X-A"], seen.headers.get("x-none", "no"), "CONTENT-TYPE" in seen.headers) == (
        "1, 2",
        "no",
        True,
    )
    assert (sorted(seen.headers), len(seen.headers)) == (["content-type", "x-a"], 2)
    assert (seen.body, seen.content, seen.text, seen.json()) == (response.body, response.body, '{"a": "ä"}', {"a": "ä"})
    assert not FilteredResponse(REQUEST, kept(b"", status=404), None).ok


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/html; charset=latin-1", "Ã¤"),
        ('text/html; Charset="UTF-8"', "ä"),
        ("text/html", "ä"),
        ("a; charset=x", "ä"),
    ],
)
def test_its_text_goes_by_the_charset(content_type: str, text: str) -> None:
    assert FilteredResponse(REQUEST, kept("ä".encode(), ("Content-Type", content_type)), None).text == text


def test_a_coding_is_taken_off_for_it() -> None:
    coded = zlib.compress(json.dumps("draft").encode())
    response = kept(coded, ("Content-Encoding", "deflate"))
    assert FilteredResponse(REQUEST, response, inflated).json() == "draft"
    assert not passes(lambda response: "draft" not in response.text, response, inflated)
    assert FilteredResponse(REQUEST, response, inflated).body == coded
    assert FilteredResponse(REQUEST, kept(b"x", ("Content-Encoding", "identity")), None).content == b"x"


@pytest.mark.parametrize(
    ("response", "decode", "why"),
    [
        (kept(None), inflated, "longer than 64 KiB"),
        (kept(b"x", ("Content-Encoding", "br")), None, "coded with br"),
        (kept(zlib.compress(bytes(3_000_000)), ("Content-Encoding", "deflate")), inflated, "longer than 2 MiB"),
    ],
)
def test_what_it_cannot_see_is_an_error(response: Kept, decode: Any, why: str) -> None:
    """Never an empty text: a filter that looks for a word would keep what it was to keep out."""
    with pytest.raises(ValueError, match=why):
        _ = FilteredResponse(REQUEST, response, decode).text


def test_a_result_to_be_awaited_is_an_error() -> None:
    async def keep(response: Any) -> bool:
        return False

    for function in (lambda response: keep(response), lambda request, response: keep(response)):
        with pytest.raises(TypeError, match="filter_fn returned something to be awaited"):
            passes(function, kept(b"x"))
