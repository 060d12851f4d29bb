"""The sessions under test, one small class per HTTP library.

Each hands a request on as it came and reads the answer's fields where a user of that library reads them: a cache may
update those and not the objects below. Libraries are imported where they are used, so that one of them is enough.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Self

from .messages import Answer, Fields, Request

if TYPE_CHECKING:
    import aiohttp
    import httpx2
    import requests

    from sansio_cache_adapters.trio.http.client import HTTPSession

#: Seconds after which an answer that does not come counts as an error.
TIMEOUT = 30.0

NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])

Make = Callable[[], Any]
"""Makes the session; called once, within the event loop if there is one."""


class RequestsClient:
    """A `requests.Session`."""

    backend = None

    def __init__(self, session: requests.Session) -> None:
        session.headers.clear()
        session.trust_env = False
        session.cookies.set_policy(NO_COOKIES)
        self._session = session

    @staticmethod
    def plain() -> requests.Session:
        """A session without a cache."""
        import requests

        return requests.Session()

    @staticmethod
    def cached(cache: Any) -> requests.Session:
        """Our session on a store, or on the path of one."""
        from sansio_cache import CachedSession

        return CachedSession(cache)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, make: Make) -> Iterator[Self]:
        """A client, closed at the end."""
        with make() as session:
            yield cls(session)

    def send(self, origin: str, request: Request) -> Answer:
        """The answer to `request`, made to the base URL `origin`."""
        with self._session.request(
            request.method,
            origin + request.target,
            headers=_joined(request.forwarded()),
            data=request.body or None,
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as response:
            # `raw` for the body only: `content` would be decoded.
            body = response.raw.read(decode_content=False)
            return Answer(response.status_code, response.reason or "", tuple(response.headers.items()), body)


class SharedRequestsClient(RequestsClient):
    """The same as a shared cache: the suite's tests of those are nothing to a private one."""

    @staticmethod
    def cached(cache: Any) -> requests.Session:
        """Our session as a shared cache."""
        from sansio_cache import CachedSession

        return CachedSession(cache, shared=True)


class AiohttpClient:
    """An `aiohttp.ClientSession`."""

    backend = "asyncio"

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @staticmethod
    def plain() -> aiohttp.ClientSession:
        """A session without a cache."""
        import aiohttp

        return aiohttp.ClientSession(**AiohttpClient.bare())

    @staticmethod
    def cached(cache: Any) -> aiohttp.ClientSession:
        """Our session on a store, or on the path of one."""
        from sansio_cache import AsyncCachedSession

        return AsyncCachedSession(cache=cache, **AiohttpClient.bare())

    @staticmethod
    def bare() -> dict[str, Any]:
        """The keywords that keep a session from adding, decoding or reusing anything; to be read within the loop."""
        import aiohttp

        return {
            "auto_decompress": False,
            "connector": aiohttp.TCPConnector(force_close=True, limit=0),
            "cookie_jar": aiohttp.DummyCookieJar(),
            "skip_auto_headers": ("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            "timeout": aiohttp.ClientTimeout(total=TIMEOUT),
        }

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, make: Make) -> AsyncIterator[Self]:
        """A client, closed at the end."""
        async with make() as session:
            yield cls(session)

    async def send(self, origin: str, request: Request) -> Answer:
        """The answer to `request`, made to the base URL `origin`."""
        from multidict import CIMultiDict
        from yarl import URL

        async with self._session.request(
            request.method,
            URL(origin + request.target, encoded=True),
            headers=CIMultiDict(request.forwarded()),
            data=request.body or None,
            allow_redirects=False,
        ) as response:
            body = await response.read()
            return Answer(response.status, response.reason or "", tuple(response.headers.items()), body)


class TrioClient:
    """The HTTP client that comes with sansio-cache, on trio."""

    backend = "trio"

    def __init__(self, session: HTTPSession) -> None:
        self._session = session

    @staticmethod
    def plain() -> HTTPSession:
        """A session without a cache."""
        from sansio_cache_adapters.trio.http.client import HTTPSession

        return HTTPSession(**TrioClient.bare())

    @staticmethod
    def cached(cache: Any) -> HTTPSession:
        """Our session on a store, or on the path of one."""
        from sansio_cache import TrioCachedSession

        return TrioCachedSession(cache=cache, **TrioClient.bare())

    @staticmethod
    def bare() -> dict[str, Any]:
        """The keywords that keep a session from adding or following anything."""
        return {
            "cookies": CookieJar(NO_COOKIES),
            "follow_redirects": False,
            "headers": dict.fromkeys(("Accept", "Accept-Encoding", "User-Agent")),
            "timeout": TIMEOUT,
        }

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, make: Make) -> AsyncIterator[Self]:
        """A client, closed at the end."""
        async with make() as session:
            yield cls(session)

    async def send(self, origin: str, request: Request) -> Answer:
        """The answer to `request`, made to the base URL `origin`."""
        url = origin + request.target
        fields = request.forwarded()
        async with self._session.stream(request.method, url, headers=fields, content=request.body) as response:
            body = b"".join([chunk async for chunk in response.iter_raw()])
            return Answer(response.status, response.reason, response.headers.items_as_received, body)


class Httpx2Client:
    """An `httpx2.Client`."""

    backend = None

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    @staticmethod
    def plain() -> httpx2.Client:
        """A client without a cache."""
        import httpx2

        return httpx2.Client(trust_env=False, timeout=TIMEOUT)

    @staticmethod
    def cached(cache: Any) -> httpx2.Client:
        """A client with our transport on a store, or on the path of one."""
        import httpx2

        from sansio_cache import CacheTransport

        return httpx2.Client(transport=CacheTransport(cache=cache), trust_env=False, timeout=TIMEOUT)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, make: Make) -> Iterator[Self]:
        """A client, closed at the end."""
        with make() as client:
            yield cls(client)

    def send(self, origin: str, request: Request) -> Answer:
        """The answer to `request`, made to the base URL `origin`."""
        import httpx2

        # A request made by hand carries none of the client's own fields and cookies; bytes, for text must be ASCII.
        fields = [(name.encode(), value.encode("latin-1")) for name, value in request.forwarded()]
        sent = httpx2.Request(request.method, origin + request.target, headers=fields, content=request.body or None)
        response = self._client.send(sent, stream=True)
        try:
            body = b"".join(response.iter_raw())
        finally:
            response.close()
        return Answer(response.status_code, response.reason_phrase, tuple(response.headers.multi_items()), body)


def _joined(fields: Fields) -> dict[str, str]:
    """The fields as requests takes them, which cannot send one twice: RFC 9110 §5.3 allows to join them.

    What urllib3 would add by itself is named as skipped; its other defaults are the session's, and cleared there.
    """
    from urllib3.util import SKIP_HEADER

    joined: dict[str, tuple[str, str]] = {}
    for name, value in fields:
        first, values = joined.get(name.lower(), (name, ""))
        joined[name.lower()] = (first, f"{values}, {value}" if values else value)
    for name in ("Accept-Encoding", "User-Agent"):
        joined.setdefault(name.lower(), (name, SKIP_HEADER))
    return dict(joined.values())
