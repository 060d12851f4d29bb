"""G9: a Host field of the user's own selects another resource, in every client."""

from __future__ import annotations

from typing import Any

import pytest
from ask_clients import CLIENTS, Ask, ask
from local_origin import Origin, Seen, fresh

from sansio_cache import MemoryStore

ONE, TWO = {"Host": "tenant-one.example"}, {"host": "tenant-two.example"}


def named(seen: Seen) -> Any:
    return fresh((seen.get("host") or "").encode())


@pytest.mark.parametrize("client", CLIENTS)
def test_tenants_of_one_address_do_not_meet(client: str, origin: Origin) -> None:
    """G9: nor do they meet what was asked of the address itself."""
    url = origin.on("/a", named)
    got = ask(client, MemoryStore(), *[Ask(url, fields) for fields in (ONE, TWO, {}, ONE, TWO, {})])
    assert [each.text for each in got[:2]] == ["tenant-one.example", "tenant-two.example"]
    assert got[2].text.startswith("127.0.0.1")
    assert [each.from_cache for each in got] == [False] * 3 + [True] * 3
    assert [each.text for each in got[3:]] == [each.text for each in got[:3]]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_urls_own_authority_said_aloud_is_the_same_resource(client: str, origin: Origin) -> None:
    """G9: in whatever case."""
    url = origin.on("/a", named).replace("127.0.0.1", "localhost")
    fields: list[dict[str, str]] = [{}, {"Host": f"localhost:{origin.port}"}, {"Host": f"LOCALHOST:{origin.port}"}]
    got = ask(client, MemoryStore(), *[Ask(url, each) for each in fields])
    assert [each.from_cache for each in got] == [False, True, True]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_post_invalidates_its_own_tenants_entry(client: str, origin: Origin) -> None:
    """G9, G14: and leaves the other's."""
    url = origin.on("/a", named)
    asks = [Ask(url, ONE), Ask(url, TWO), Ask(url, ONE, "POST"), Ask(url, TWO), Ask(url, ONE)]
    got = ask(client, MemoryStore(), *asks)
    assert [each.from_cache for each in got] == [False, False, False, True, False]


def test_all_clients_mean_the_same_tenant(origin: Origin) -> None:
    """G9: one store, one entry for each host."""
    store = MemoryStore()
    url = origin.on("/a", named)
    for client in CLIENTS:
        ask(client, store, Ask(url, ONE), Ask(url, TWO), Ask(url))
    assert origin.count() == 3
