"""The decision alone: a fresh hit without a store and without a client."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from suite.contenders.secret import SECRET
from suite.model import Cell, Figure, Scenario
from suite.timing import Untrue, turns

URL = "http://127.0.0.1:8000/b/1024/1"
BODY = bytes(1024)
FIELDS = (
    ("Date", ""),
    ("Server", "origin/1"),
    ("Content-Type", "application/octet-stream"),
    ("Content-Length", "1024"),
    ("Cache-Control", "max-age=3600"),
    ("ETag", '"1024-1"'),
    ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ("Content-Language", "en"),
    ("X-Request-Id", "7c8f0a4e-3f0b-4d7a-9a61-2a6f0f5f1c11"),
    ("X-Content-Type-Options", "nosniff"),
    ("Strict-Transport-Security", "max-age=63072000"),
    ("Referrer-Policy", "no-referrer"),
)
LOOP = 200


def fields(now: float) -> list[tuple[str, str]]:
    """The stored fields, dated now."""
    from email.utils import formatdate

    return [(name, value or formatdate(now, usegmt=True)) for name, value in FIELDS]


def limit() -> Callable[[], object]:
    """Key, one HMAC and one decode."""
    import hashlib
    import hmac

    from suite.limits.records import Head, decode, encode

    packed = encode(Head(URL, 200, 0.0, fields(time.time())))
    prepared = hmac.new(SECRET.encode(), digestmod=hashlib.sha256)

    def seal(key: bytes, head: bytes, body: bytes) -> bytes:
        mac = prepared.copy()
        mac.update(key + head)
        mac.update(body)
        return mac.digest()

    sealed = seal(hashlib.sha256(URL.encode()).digest(), packed, BODY)

    def once() -> Head:
        if not hmac.compare_digest(sealed, seal(hashlib.sha256(URL.encode()).digest(), packed, BODY)):
            raise ValueError(URL)
        return decode(packed)

    return once


def hishel() -> Callable[[], object]:
    """hishel's state machine in RFC mode, its record unpacked; it does not sign."""
    import hashlib
    import uuid

    from hishel import CacheOptions, Entry, FromCache, Headers, IdleClient, Request, Response
    from hishel._core._storages._packing import pack, unpack

    listed = {name.lower(): [value] for name, value in fields(time.time())}
    request = Request("GET", URL, Headers({"accept": "*/*", "accept-encoding": "gzip, deflate"}))
    packed = pack(request, Response(200, Headers(listed)))
    name = uuid.uuid4()

    def once() -> object:
        hashlib.sha256(f"RFC {URL}".encode()).hexdigest()
        asked, answer = unpack(packed)
        state = IdleClient(options=CacheOptions()).next(request, [Entry(name, asked, answer)])
        if not isinstance(state, FromCache):
            raise TypeError(state)
        return state

    return once


def ours() -> Callable[[], object]:
    """`exchange` on a signed record: planned, opened, verified, chosen, answered."""
    from sansio_cache.actions import Alone, Claim, Fetch, Load, Loaded
    from sansio_cache.drivers import run
    from sansio_cache.exchange import exchange
    from sansio_cache.messages import Headers, Received, Request
    from sansio_cache.policy import Policy
    from sansio_cache.records import Item, Meta, Stored, chunk_hashes
    from sansio_cache.rules import Rules
    from sansio_cache.sealing import make_sealer

    now = time.time()
    rules = Rules(Policy(), Meta(bytes(16), bytes(32), signed=True), make_sealer(SECRET))
    request = Request("GET", URL, Headers((("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate"))))

    class World:
        """Holds one record; the network gives the same response each time."""

        loaded = Loaded((), now)

        def load(self, action: Load) -> Loaded:
            return self.loaded

        def claim(self, action: Claim) -> Alone:
            return Alone(now)

        def fetch(self, action: Fetch) -> Received:
            return Received(200, "OK", Headers(fields(now)), now, now)

    world: Any = World()
    missed = run(exchange(request, rules, now), world)
    item = missed.keeping.finish(BODY, b"", len(BODY), chunk_hashes(BODY)) if missed.keeping else None
    if not isinstance(item, Item):
        raise Untrue(f"not stored: {item}")
    world.loaded = Loaded((Stored(item.sealed, item.body, item.entry, 1),), now + 1)
    if not run(exchange(request, rules, now + 1), world).from_cache:
        raise Untrue("not a hit")
    return lambda: run(exchange(request, rules, now + 1), world)


MAKERS: dict[str, Callable[[], Callable[[], Any]]] = {"limit-core": limit, "hishel-core": hishel, "ours-core": ours}


async def core(cell: Cell) -> dict[str, float]:
    """The microseconds of one decision."""
    once = MAKERS[cell.contender.name]()
    for _ in range(LOOP):
        once()
    times = []
    for _ in turns(cell.scale.seconds):
        started = perf_counter()
        for _ in range(LOOP):
            once()
        times.append((perf_counter() - started) / LOOP)
    return {"us": 1e6 * median(times)}


SCENARIOS = (
    Scenario(
        "core",
        "The pure core on a fresh hit, record opened and verified",
        (Figure("us", "µs", "less"),),
        frozenset({"core"}),
        core,
    ),
)
