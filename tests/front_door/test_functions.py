"""Functions that users give, with every client: ``filter_fn``, ``key_fn``, ``on_event``, ``clock``."""

from __future__ import annotations

import gzip
from functools import partial
from typing import Any

import pytest
from every_client import CLIENTS, Face, make, play
from local_origin import Origin, Reply, fresh

from sansio_cache import CacheAdapter, CacheMiddleware, MemoryStore, Policy, SettingError, enabled


async def later(*_: object) -> bool:
    return False


class Later:
    async def __call__(self, response: Any) -> bool:
        return False


@pytest.mark.parametrize("client", CLIENTS)
def test_a_filter_of_one_argument_decides_by_what_the_response_says(client: str, origin: Origin) -> None:
    """The peers' signature, and the names that the peers' filters look at: text too, its coding taken off."""
    draft = gzip.compress(b"<p>a draft</p>")
    pages = {
        origin.on("/page", fresh(b"<p>done</p>")): True,
        origin.on("/draft", fresh(b"<p>a draft</p>")): False,
        origin.on("/coded", Reply(draft, fields={"Cache-Control": "max-age=60", "Content-Encoding": "gzip"})): False,
    }

    async def scenario(face: Face) -> None:
        for url, kept in pages.items():
            assert [(await face.get(url)).from_cache for _ in range(2)] == [False, kept]

    play(client, scenario, cache=MemoryStore(), filter_fn=lambda response: "a draft" not in response.text)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("setting", "function"),
    [
        ("filter_fn", later),
        ("filter_fn", Later()),
        ("filter_fn", partial(later, 1)),
        ("filter_fn", lambda: True),
        ("filter_fn", lambda a, b, c: True),
        ("key_fn", later),
        ("key_fn", lambda: "x"),
        ("key_fn", lambda request, cache_key: "x"),
        ("on_event", later),
        ("on_event", lambda: None),
        ("clock", later),
        ("clock", lambda zone: 0.0),
    ],
)
def test_a_function_that_cannot_be_called_so_is_an_error_at_construction(
    client: str, setting: str, function: Any
) -> None:
    with pytest.raises(SettingError, match=f"{setting} takes a plain function of"):
        make(client, cache=MemoryStore(), **{setting: function})


@pytest.mark.parametrize("build", [CacheAdapter, CacheMiddleware, enabled, Policy])
def test_so_it_is_wherever_settings_are_given(build: Any) -> None:
    with pytest.raises(SettingError, match="filter_fn takes a plain function of"):
        build(filter_fn=later).__enter__()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.filterwarnings("error")
def test_what_a_coroutine_was_to_keep_out_is_not_stored(client: str, origin: Origin) -> None:
    """Where no signature tells of it, its result does."""
    url = origin.on("/a", fresh(b"x"))

    async def scenario(face: Face) -> None:
        assert [(await face.get(url)).from_cache for _ in range(2)] == [False, False]

    play(client, scenario, cache=MemoryStore(), filter_fn=lambda response: later())
