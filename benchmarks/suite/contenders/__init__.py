"""The contenders, in one table.

Their modules import the libraries only when a client starts, so that this table can be read without any of them.
"""

from __future__ import annotations

from functools import partial

from suite.clients import Colour
from suite.contenders import aiohttp_based, httpx_based, limits, ours, requests_based
from suite.model import Contender, Startup

PLAIN = frozenset({"hit", "fetch", "store", "plain"})
CACHE = frozenset({"hit", "fetch", "store"})
SHARED = CACHE | {"share"}
LIMIT = frozenset({"hit"})
FETCHING = LIMIT | {"fetch"}

TRIO_IMPORTS = "import anyio, h11, trio"


def _ours(name: str, client: str) -> Startup:
    """The front door, and the first session of a client."""
    loop = {"requests": "", "aiohttp": "asyncio", "trio": "trio"}[client]
    session = f"from sansio_cache import {name}; session = {name}(cache=PATH, secret_key='0123456789abcdef' * 4)"
    return Startup("import sansio_cache", session, loop)  # type: ignore[arg-type]


def colour(contender: Contender) -> Colour:
    """The loop, if any, that the contender's client runs in."""
    maker = contender.make.func if isinstance(contender.make, partial) else contender.make
    found: Colour = getattr(maker, "colour", "blocking")
    return found


# A table is read by its columns, which the formatter would take apart.
# fmt: off
CONTENDERS: tuple[Contender, ...] = (
    # Without a cache: what a miss, a validation and an import are measured against.
    Contender("requests", "requests", "plain", requests_based.Requests, PLAIN,
              startup=Startup("import requests", "session = requests.Session()")),
    Contender("httpx2", "httpx2", "plain", httpx_based.Httpx, PLAIN),
    Contender("aiohttp", "aiohttp", "plain", aiohttp_based.Aiohttp, PLAIN,
              startup=Startup("import aiohttp", "session = aiohttp.ClientSession()", "asyncio")),
    Contender("httpx2-trio", "trio", "plain", httpx_based.HttpxTrio, PLAIN),
    Contender("trio", "trio", "plain", startup=Startup(TRIO_IMPORTS, "", "trio")),
    # The peers.
    Contender("requests-cache", "requests", "peer", requests_based.RequestsCache, SHARED | {"purge"},
              startup=Startup("import requests_cache", "session = requests_cache.CachedSession(PATH)")),
    Contender("requests-cache-wal", "requests", "peer",
              partial(requests_based.RequestsCache, wal=True), SHARED | {"purge"}),
    Contender("requests-cache-signed", "requests", "peer",
              partial(requests_based.RequestsCache, signed=True), SHARED | {"purge", "signed"}),
    Contender("cachecontrol-dict", "requests", "peer", requests_based.CacheControlDict, CACHE),
    Contender("cachecontrol-file", "requests", "peer", requests_based.CacheControlFile, SHARED),
    Contender("cachecontrol-separate", "requests", "peer", requests_based.CacheControlSeparate, SHARED),
    Contender("hishel-requests", "requests", "peer", requests_based.HishelRequests, SHARED),
    Contender("hishel-httpx2", "httpx2", "peer", httpx_based.HishelHttpx, SHARED),
    Contender("hishel-asyncio", "httpx2", "peer", httpx_based.HishelAsyncio, SHARED),
    Contender("hishel-trio", "trio", "peer", httpx_based.HishelTrio, SHARED),
    Contender("aiohttp-client-cache", "aiohttp", "peer", aiohttp_based.AiohttpClientCache, SHARED | {"purge"},
              startup=Startup("import aiohttp_client_cache",
                              "session = aiohttp_client_cache.CachedSession()", "asyncio")),
    Contender("aiohttp-client-cache-signed", "aiohttp", "peer",
              partial(aiohttp_based.AiohttpClientCache, signed=True), SHARED | {"signed"}),
    Contender("aiohttp-client-cache-memory", "aiohttp", "peer", aiohttp_based.AiohttpClientCacheMemory, CACHE),
    # The limits.
    Contender("limit-read", "core", "limit", limits.LimitRead, LIMIT),
    Contender("limit-read-signed", "core", "limit", partial(limits.LimitRead, signed=True), LIMIT),
    Contender("limit-requests", "requests", "limit", limits.LimitRequests, FETCHING),
    Contender("limit-requests-signed", "requests", "limit", partial(limits.LimitRequests, signed=True), FETCHING),
    Contender("limit-requests-memory", "requests", "limit", partial(limits.LimitRequests, memory=True), FETCHING),
    Contender("limit-requests-prepared", "requests", "limit", limits.LimitRequestsPrepared, LIMIT),
    Contender("limit-requests-prepared-signed", "requests", "limit",
              partial(limits.LimitRequestsPrepared, signed=True), LIMIT),
    Contender("limit-aiohttp", "aiohttp", "limit", limits.LimitAiohttp, FETCHING),
    Contender("limit-aiohttp-signed", "aiohttp", "limit", partial(limits.LimitAiohttp, signed=True), FETCHING),
    Contender("limit-aiohttp-memory", "aiohttp", "limit", partial(limits.LimitAiohttp, memory=True), FETCHING),
    Contender("limit-trio", "trio", "limit", limits.LimitTrio, LIMIT),
    Contender("limit-trio-signed", "trio", "limit", partial(limits.LimitTrio, signed=True), LIMIT),
    Contender("limit-trio-memory", "trio", "limit", partial(limits.LimitTrio, memory=True), LIMIT),
    Contender("limit-core", "core", "limit", does=frozenset({"core"})),
    Contender("hishel-core", "core", "peer", does=frozenset({"core"})),
    # Ours.
    Contender("ours-core", "core", "ours", does=frozenset({"core"}), rival="hishel-core", limit="limit-core"),
    Contender("ours-requests", "requests", "ours", ours.OursRequests, SHARED | {"purge"},
              rival="requests-cache", limit="limit-requests"),
    Contender("ours-requests-signed", "requests", "ours", partial(ours.OursRequests, signed=True),
              SHARED | {"purge", "signed"}, rival="requests-cache-signed", limit="limit-requests-signed",
              startup=_ours("CachedSession", "requests")),
    Contender("ours-requests-prepared", "requests", "ours", partial(ours.OursRequestsPrepared, signed=True),
              LIMIT, rival="requests-cache-signed", limit="limit-requests-prepared-signed"),
    Contender("ours-requests-signed-blake3", "requests", "ours",
              partial(ours.OursRequests, signed=True, digest="blake3"), LIMIT,
              rival="requests-cache-signed", limit="limit-requests-signed"),
    Contender("ours-requests-files", "requests", "ours", partial(ours.OursRequests, signed=True, files=True),
              SHARED | {"signed"}, rival="cachecontrol-file"),
    Contender("ours-requests-memory", "requests", "ours", partial(ours.OursRequests, memory=True), CACHE,
              rival="cachecontrol-dict", limit="limit-requests-memory"),
    Contender("ours-aiohttp", "aiohttp", "ours", ours.OursAiohttp, SHARED | {"purge"},
              rival="aiohttp-client-cache", limit="limit-aiohttp"),
    Contender("ours-aiohttp-signed", "aiohttp", "ours", partial(ours.OursAiohttp, signed=True),
              SHARED | {"purge", "signed"}, rival="aiohttp-client-cache-signed", limit="limit-aiohttp-signed",
              startup=_ours("AsyncCachedSession", "aiohttp")),
    Contender("ours-aiohttp-signed-blake3", "aiohttp", "ours",
              partial(ours.OursAiohttp, signed=True, digest="blake3"), LIMIT,
              rival="aiohttp-client-cache-signed", limit="limit-aiohttp-signed"),
    Contender("ours-aiohttp-memory", "aiohttp", "ours", partial(ours.OursAiohttp, memory=True), CACHE,
              rival="aiohttp-client-cache-memory", limit="limit-aiohttp-memory"),
    Contender("ours-trio", "trio", "ours", ours.OursTrio, SHARED, rival="hishel-trio", limit="limit-trio"),
    Contender("ours-trio-signed", "trio", "ours", partial(ours.OursTrio, signed=True), SHARED | {"signed"},
              rival="hishel-trio", limit="limit-trio-signed", startup=_ours("TrioCachedSession", "trio")),
    Contender("ours-trio-signed-blake3", "trio", "ours", partial(ours.OursTrio, signed=True, digest="blake3"), LIMIT,
              rival="hishel-trio", limit="limit-trio-signed"),
    Contender("ours-trio-memory", "trio", "ours", partial(ours.OursTrio, memory=True), CACHE,
              rival="hishel-trio", limit="limit-trio-memory"),
)
# fmt: on

BY_NAME = {contender.name: contender for contender in CONTENDERS}
