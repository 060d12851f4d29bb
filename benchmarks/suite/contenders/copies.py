"""Many entries of ours in little time: one stored response again and again, each time under another URL."""

from __future__ import annotations

import time
from typing import Any

GROUP = 1_000
"""So many are written in one transaction."""


def copy_response(kept_under: Any, stored: Any, count: int) -> None:
    """Write this stored response under `count` URLs more, as if the network had brought it just now.

    The core makes every record, sealed for its own key; a store of its own over the same file takes them in groups,
    so that the session that is measured has none of it in its memory.
    """
    from sansio_cache import SQLiteStore
    from sansio_cache.actions import Alone, Claim, Fetch, Load, Loaded
    from sansio_cache.drivers import run
    from sansio_cache.exchange import exchange
    from sansio_cache.messages import Headers, Received, Request
    from sansio_cache.records import Item, chunk_hashes
    from sansio_cache.rules import Rules

    sealer, policy = kept_under.sealer, kept_under.policy
    now = time.time()

    class World:
        """Nothing is stored, no others ask, and the network gives the same each time."""

        def load(self, action: Load) -> Loaded:
            return Loaded((), now)

        def claim(self, action: Claim) -> Alone:
            return Alone(now)

        def fetch(self, action: Fetch) -> Received:
            return Received(stored.status, stored.reason, stored.headers, now, now)

    world: Any = World()
    hashes = chunk_hashes(stored.body)
    store = SQLiteStore(kept_under.store.location, max_bytes=kept_under.store.max_bytes)
    rules = Rules(policy, store.open(signed=sealer.signed), sealer)

    def item(number: int) -> Item:
        request = Request("GET", f"{stored.url}-copy{number}", Headers((("Accept", "*/*"),)))
        keeping = run(exchange(request, rules, now), world).keeping
        made = keeping.finish(stored.body, b"", len(stored.body), hashes) if keeping else None
        if not isinstance(made, Item):
            raise TypeError(f"not stored: {made}")
        return made

    for first in range(0, count, GROUP):
        items = [item(number) for number in range(first, min(first + GROUP, count))]
        store.together(lambda group=items: [store.commit(each, vary_limit=64, now=now) for each in group])
    store.close()
