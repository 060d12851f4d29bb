"""What users name a stored response by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests
import yarl

from sansio_cache import SettingError
from sansio_cache_adapters.cache.lookup import as_url, named, request_like

URL = "https://a.example/b"


@pytest.mark.parametrize("thing", [URL, URL.encode(), yarl.URL(URL)])
def test_a_url_of_any_library_is_one(thing: object) -> None:
    assert as_url(thing) == URL


@pytest.mark.parametrize("thing", [None, 5, object(), SimpleNamespace(url=URL)])
def test_anything_else_is_none(thing: object) -> None:
    assert as_url(thing) is None


def test_a_url_by_name_is_taken_out_of_the_keywords() -> None:
    keywords: dict[str, Any] = {"url": URL, "params": {"a": 1}}
    assert named(None, keywords) == URL
    assert keywords == {"params": {"a": 1}}
    assert named("first", {"url": URL}) == "first"


@pytest.mark.parametrize(
    "thing",
    [
        requests.Request("POST", URL, headers={"A": "b"}),
        SimpleNamespace(url=yarl.URL(URL), method="POST", headers=[("A", b"b")]),
        SimpleNamespace(url=URL.encode(), method="POST", headers={b"A": "b"}),
    ],
)
def test_an_object_with_a_url_is_a_request(thing: object) -> None:
    request = request_like(thing, {})
    assert (request.method, request.url, request.headers.items) == ("POST", URL, (("A", "b"),))


def test_without_a_method_it_is_a_get() -> None:
    assert request_like(SimpleNamespace(url=URL), {}).method == "GET"


@pytest.mark.parametrize(
    ("thing", "keywords", "said"),
    [
        (object(), {}, "named by a URL or by a request"),
        (SimpleNamespace(url=5), {}, "named by a URL or by a request"),
        (SimpleNamespace(url=URL), {"params": 1, "json": 2}, "json, params can be given with a URL"),
    ],
)
def test_bad_input_is_told(thing: object, keywords: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        request_like(thing, keywords)
