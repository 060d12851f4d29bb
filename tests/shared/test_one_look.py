"""One request is one exchange: what a look into the store has shown is not looked up again on the way out."""

from __future__ import annotations

from typing import Any

import pytest
from clock import Clock
from every_client import CLIENTS, Face, play
from local_origin import Origin, Reply, fresh, redirect

from sansio_cache import MemoryStore
from sansio_cache.rules import Rules


class Counted(MemoryStore):
    """A store that counts how often a partition is read."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[bytes] = []

    def load(self, partition: bytes) -> Any:
        """All records of a partition."""
        self.loads.append(partition)
        return super().load(partition)

    load_nowait = load


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of the exchanges that have begun."""
    begun: list[str] = []
    plan = Rules.plan

    def noted(self: Rules, request: Any) -> Any:
        begun.append(request.url)
        return plan(self, request)

    monkeypatch.setattr(Rules, "plan", noted)
    return begun


@pytest.mark.parametrize("client", CLIENTS)
def test_a_request_begins_one_exchange(client: str, origin: Origin, clock: Clock, plans: list[str]) -> None:
    """Misses, hits, a validation, and what is stale and has no validators."""
    store = Counted()
    tagged = origin.on("/tagged", fresh(b"x", 60, etag='"a"'), Reply(status=304, fields={"ETag": '"a"'}))
    plain = origin.on("/plain", fresh(b"y", 60))
    never = origin.on("/never", fresh(b"z", 60, cache_control="no-store"))

    async def scenario(face: Face) -> None:
        for url, after, loads, from_cache in [
            (tagged, 0, 2, False),
            (tagged, 0, 1, True),
            (tagged, 100, 2, True),
            (plain, 0, 2, False),
            (plain, 100, 2, False),
            (plain, 0, 1, True),
            (never, 0, 2, False),
        ]:
            clock.advance(after)
            plans.clear()
            store.loads.clear()
            got = await face.get(url)
            assert (got.from_cache, len(plans)) == (from_cache, 1), (url, after, got)
            # Before the claim, and once it is granted: another may have fetched in between.
            assert len(store.loads) == loads, (url, after)

    play(client, scenario, cache=store, clock=clock)


@pytest.mark.parametrize("client", [each for each in CLIENTS if "httpx" not in each])  # their client follows
def test_so_does_each_step_of_a_stored_redirect(client: str, origin: Origin, plans: list[str]) -> None:
    store = Counted()
    moved, target = origin.on("/moved", redirect("/target")), origin.on("/target", fresh(b"x"))

    async def scenario(face: Face) -> None:
        for _ in range(3):
            plans.clear()
            store.loads.clear()
            assert (await face.get(moved)).body == b"x"
        assert plans == [moved, target]
        assert len(store.loads) == 2
        assert origin.count() == 2

    play(client, scenario, cache=store)
