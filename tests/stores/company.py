"""A process that uses a store beside others: run by the tests as a script, never imported.

company.py files|redis LOCATION commit|mixed|claim SEED [SECONDS]
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from hashlib import sha256

from sansio_cache.records import Item
from sansio_cache_adapters.stores.protocol import Lease, Store
from sansio_cache_adapters.testing import make_item, name, stream

PATIENCE = 20.0


def open_store(kind: str, location: str) -> Store:
    # The holder of a lock, or the server, may be off the processor for longer than a user would be kept waiting.
    if kind == "files":
        from sansio_cache_adapters.stores.files.store import FileStore
        from sansio_cache_adapters.stores.system import posix_folder

        posix_folder._LOCK_WAIT = PATIENCE  # type: ignore[misc]
        return FileStore(location, max_bytes=64 * 1024 * 1024)
    from sansio_cache_adapters.stores.redis.store import RedisStore

    return RedisStore(location, timeout=PATIENCE)


def item_of(store: Store, chance: random.Random, text: str, resource: str) -> Item:
    """An item of any size: empty, beside its head, or in chunks."""
    length = chance.choice([0, 100, 5_000, 65_536, 70_000, 1_200_000])
    item = make_item(text, chance.randbytes(length), now=time.time(), resource=resource)
    return stream(store, item) if length > 65_536 else item


def commit_for_ever(store: Store, seed: str) -> None:
    """Commit, replace and drop, and say what was done after it was done."""
    chance = random.Random(seed)
    for index in range(1_000_000):
        text = f"{seed} {index % 7}"
        if chance.random() < 0.1:
            print(json.dumps(["dropping", text]), flush=True)
            store.drop(name(text), now=time.time())
        else:
            item = item_of(store, chance, text, text)
            print(json.dumps(["committing", text]), flush=True)
            if store.commit(item, vary_limit=32, now=time.time()):
                print(json.dumps(["committed", text, item.sealed.decode()]), flush=True)


def mix(store: Store, seed: str, seconds: float) -> None:
    """Two threads that read, write, drop and claim among twenty URLs; says how long each call took at worst."""
    waits: list[float] = []
    errors: list[str] = []

    def work(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                step(store, chance, f"{chance.randrange(20)}", f"{seed} {number}")
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
            waits.append(time.monotonic() - began)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waits.sort()
    print(json.dumps({"errors": errors, "count": len(waits), "p999": waits[int(len(waits) * 0.999)]}), flush=True)


def step(store: Store, chance: random.Random, text: str, token: str) -> None:
    """One random call, and what must hold of its result."""
    dice = chance.random()
    now = time.time()
    if dice < 0.7:
        for stored in store.load(name(text)):
            if stored.body is not None:
                assert stored.sealed.endswith(sha256(stored.body).hexdigest().encode()), "a body of another head"
            store.touch(name(text), stored.entry, now=now)
    elif dice < 0.9:
        store.commit(item_of(store, chance, text, text), vary_limit=32, now=now)
    elif dice < 0.93:
        store.drop(name(text), now=now)
    elif dice < 0.96:
        store.sweep(now=now, limit=20)
    elif store.claim(name(text), name(text), token.encode(), now=now, until=now + 5) is Lease.GRANTED:
        store.release(name(text), token.encode())


def claim_all(store: Store, seed: str) -> None:
    """Claim thirty partitions as soon as the word is given; says which were granted, and holds them until another."""
    print("ready", flush=True)
    sys.stdin.readline()
    now = time.time()
    leases = {
        index: store.claim(name(f"{index}"), name(f"{index}"), seed.encode(), now=now, until=now + 30)
        for index in range(30)
    }
    print(json.dumps([index for index, lease in leases.items() if lease is Lease.GRANTED]), flush=True)
    sys.stdin.readline()
    # Gone without a word: the leases stay.
    os._exit(0)


def main() -> None:
    kind, location, work, seed = sys.argv[1:5]
    store = open_store(kind, location)
    store.open(signed=False)
    if work == "commit":
        commit_for_ever(store, seed)
    elif work == "mixed":
        mix(store, seed, float(sys.argv[5]))
        store.close()
    else:
        claim_all(store, seed)


if __name__ == "__main__":
    main()
