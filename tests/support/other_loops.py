"""A miss and hits of each kind of session under another scheduler: run by the tests as a script.

other_loops.py gevent|uvloop|eager|running|forkserver|spawn FOLDER URL
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()

import asyncio
import multiprocessing
from functools import partial

from sansio_cache import AsyncCachedSession, CachedSession, FileStore, TrioCachedSession


async def awaiting(folder: str, url: str) -> None:
    """Ten at once make one fetch, on both awaiting clients."""
    async with AsyncCachedSession(cache=f"{folder}/aiohttp.sqlite") as session:

        async def ask(_: int) -> bool:
            async with session.get(url) as response:
                await response.read()
                return response.from_cache

        answers = await asyncio.gather(*map(ask, range(10)))
        assert sorted(answers) == [False] + [True] * 9, answers
    async with TrioCachedSession(cache=FileStore(f"{folder}/trio")) as session:
        assert [(await session.get(url)).from_cache for _ in range(2)] == [False, True]


def greenlets(folder: str, url: str) -> None:
    """Ten greenlets make one fetch, and none of them holds up the others."""
    from gevent.pool import Pool

    for store in (f"{folder}/greenlets.sqlite", FileStore(f"{folder}/greenlets")):
        with CachedSession(store) as session:
            answers = Pool(10).map(lambda _: session.get(url).from_cache, range(10))
            assert sorted(answers) == [False] + [True] * 9, answers
            assert session.get(url).from_cache


async def running(folder: str, url: str) -> None:
    """A blocking session where a loop runs already, as in a notebook's cell."""
    with CachedSession(f"{folder}/running.sqlite") as session:
        assert [session.get(url).from_cache for _ in range(2)] == [False, True]
    await awaiting(folder, url)


async def eager(folder: str, url: str) -> None:
    """Tasks that begin at once, in the one that makes them."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await awaiting(folder, url)


def hits(session: CachedSession, url: str) -> bool:
    return bool(session.get(url).from_cache)


def processes(kind: str, folder: str, url: str) -> None:
    """A session goes to processes of a pool."""
    with CachedSession(f"{folder}/{kind}.sqlite") as session:
        session.get(url)
        with multiprocessing.get_context(kind).Pool(2) as pool:
            assert pool.map(partial(hits, session), [url] * 4) == [True] * 4


def main(kind: str, folder: str, url: str) -> None:
    if kind == "gevent":
        greenlets(folder, url)
    elif kind == "uvloop":
        import uvloop

        uvloop.run(awaiting(folder, url))
    elif kind in ("forkserver", "spawn"):
        processes(kind, folder, url)
    else:
        asyncio.run({"eager": eager, "running": running}[kind](folder, url))
    print("works")


if __name__ == "__main__":
    main(*sys.argv[1:])
