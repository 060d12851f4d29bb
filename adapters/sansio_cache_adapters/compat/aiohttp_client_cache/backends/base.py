"""``CacheBackend``: a cache in memory, and what all caches of aiohttp-client-cache have in common."""

from __future__ import annotations

import asyncio
import contextvars
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import nullcontext
from typing import Any, Final
from weakref import WeakKeyDictionary

from yarl import URL

from sansio_cache.messages import REDIRECTS, Request
from sansio_cache.policy import Heuristic, Policy
from sansio_cache.records import Record
from sansio_cache_adapters.aiohttp.lookup import plain_request_maker
from sansio_cache_adapters.aiohttp.middleware import AiohttpCache
from sansio_cache_adapters.cache.lookup import RequestMaker
from sansio_cache_adapters.cache.maintenance import Maintenance, criteria_of
from sansio_cache_adapters.cache.opening import KeptUnder, sealer_for
from sansio_cache_adapters.cache.reading import without_coding
from sansio_cache_adapters.cache.setup import set_up
from sansio_cache_adapters.compat.aiohttp_client_cache.cache_control import (
    CacheActions,
    ExpirationPatterns,
    ExpirationTime,
)
from sansio_cache_adapters.compat.aiohttp_client_cache.cache_keys import (
    SOMETHING_ELSE,
    asking_for,
    is_followed,
    normalize_url_params,
)
from sansio_cache_adapters.compat.aiohttp_client_cache.response import AnyResponse, CachedResponse, stored
from sansio_cache_adapters.compat.keys import keyed_by_method
from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE
from sansio_cache_adapters.compat.places import MOST_BYTES
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.settings import UNGIVEN

from .storage import OWN_STORAGE, BaseCache, DictCache, Redirects, Responses

__all__ = ["BaseCache", "CacheBackend", "DictCache", "ResponseOrKey", "keep_all"]

ResponseOrKey = CachedResponse | bytes | str | None
_LONGEST_CHAIN: Final = 20
_SAYS_NOTHING: Final = frozenset(
    {
        *("fast_save", "timeout", "check_same_thread", "isolation_level", "detect_types", "cached_statements"),
        *("factory", "uri", "serializer", "salt", "iter_chunk_size", "wal"),
    }
)
"""What backends of aiohttp-client-cache take and what makes no difference here."""


def keep_all(_: AnyResponse) -> bool:
    """A filter that keeps everything."""
    return True


class CacheBackend:
    """A cache. By itself it is in memory; its subclasses say where else one may lie.

    :param cache_name: a name; of subclasses a path or a prefix.
    :param expire_after: for how long, or until when, a response is fresh.
    :param urls_expire_after: the same for URLs that match a pattern.
    :param allowed_codes: the status codes that are kept.
    :param allowed_methods: the methods whose responses are kept.
    :param include_headers: let request fields tell requests apart.
    :param ignored_params: names of parameters that do not.
    :param autoclose: close the cache with the session.
    :param cache_control: let the response decide where nothing else does.
    :param filter_fn: whether a response is to be kept; plain or a coroutine.
    :param secret_key: signs what is stored.
    """

    def __init__(
        self,
        cache_name: Any = "aiohttp-cache",
        expire_after: ExpirationTime = -1,
        urls_expire_after: ExpirationPatterns | None = None,
        allowed_codes: Iterable[int] = (200,),
        allowed_methods: Iterable[str] = ("GET", "HEAD"),
        include_headers: bool = False,
        ignored_params: Iterable[str] | None = None,
        autoclose: bool = False,
        cache_control: bool = False,
        filter_fn: Callable[[Any], bool] | Callable[[Any], Awaitable[bool]] = keep_all,
        secret_key: Any = None,
        serializer: Any = None,
        **kwargs: Any,
    ) -> None:
        self.name = cache_name
        self.expire_after = expire_after
        self.urls_expire_after = urls_expire_after
        self.allowed_codes = allowed_codes
        self.allowed_methods = allowed_methods
        self.include_headers = include_headers
        self.ignored_params: set[str] = set(ignored_params or ())
        self.autoclose = autoclose
        self.cache_control = cache_control
        self.filter_fn = filter_fn
        self.bypassed: contextvars.ContextVar[bool] = contextvars.ContextVar(
            "sansio_cache_compat_disabled", default=False
        )
        if cache_control:
            AIOHTTP_CLIENT_CACHE.differs("cache-control", "cache_control=True obeys all of RFC 9111")
        if serializer is not None:
            AIOHTTP_CLIENT_CACHE.differs("records", "serializer= says nothing: records have one form here, data only")
        self._secret = UNGIVEN if secret_key is None else secret_key
        self.store: Any = self._make_store(cache_name, kwargs)
        self._caches: WeakKeyDictionary[Any, tuple[object, AiohttpCache]] = WeakKeyDictionary()
        self._session: weakref.ref[Any] | None = None
        for name in kwargs.keys() - _SAYS_NOTHING:
            AIOHTTP_CLIENT_CACHE.differs("keywords", f"{type(self).__name__} takes {name}= and does nothing with it")

    def _make_store(self, cache_name: Any, kwargs: dict[str, Any]) -> Any:
        """The store; takes from the keywords what concerns it."""
        return MemoryStore(max_bytes=MOST_BYTES)

    # what sessions ask

    def caching(self) -> AiohttpCache:
        """The cache of the running loop that does what the settings say now."""
        loop = asyncio.get_running_loop()
        state = self._state()
        made = self._caches.get(loop)
        if made is None or made[0] != state:
            cache = AiohttpCache(set_up(self.store, self._secret, self._policy(), None, time.time), None)
            made = self._caches[loop] = state, cache
        return made[1]

    def _state(self) -> tuple[object, ...]:
        lists = (tuple(self.allowed_codes), tuple(self.allowed_methods), frozenset(self.ignored_params or ()))
        return (*lists, self.expire_after, self.cache_control, self.include_headers)

    def _policy(self) -> Policy:
        ignored = frozenset(self.ignored_params or ())
        return Policy(
            cache_control=self.cache_control,
            heuristic=Heuristic(fixed=float("inf")) if self.cache_control else None,
            allowed_codes=self.codes | REDIRECTS,
            allowed_methods=[method.upper() for method in self.allowed_methods],
            ignored_parameters=ignored,
            match_headers=bool(self.include_headers),
            parameter_order=False,
            key_fn=keyed_by_method(ignored, is_followed),
            keep_set_cookie=True,
        )

    @property
    def codes(self) -> frozenset[int]:
        """The status codes that are kept."""
        return frozenset(code for code in self.allowed_codes if 200 <= code <= 599)

    def kept_under(self) -> KeptUnder:
        """What the responses lie in, and under which settings: for ``import_cache``."""
        return KeptUnder(self.store, sealer_for(self.store, self._secret), self._policy())

    def serves(self, session: Any) -> None:
        """Make requests for looking into the cache as this session would."""
        self._session = weakref.ref(session)

    def work(self) -> Maintenance:
        """What is done with all that is stored; to be awaited."""
        return Maintenance(self.caching().engine, self._asking())

    async def known(self, method: str, url: URL, headers: Any) -> Record | None:
        """What is stored for a request of no body, of which no middleware of the session's hears."""
        look = Maintenance(self.caching().engine, plain_request_maker())
        return await look.matching(str(url), method, {"headers": headers})

    def _asking(self) -> RequestMaker:
        session = None if self._session is None else self._session()
        if session is not None and not session.closed:
            as_session: RequestMaker = session._handler.asking(session)
            return as_session
        plainly = plain_request_maker()

        def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request | Awaitable[Request]:
            params = keywords.pop("params", None)
            url = normalize_url_params(thing, params) if params else thing
            return plainly(url, method, {"headers": keywords.get("headers") or {}})

        return asked

    # what is stored

    @property
    def responses(self) -> Responses:
        """The stored responses by their keys."""
        return Responses(self)

    @responses.setter
    def responses(self, storage: object) -> None:
        raise AIOHTTP_CLIENT_CACHE.refusal("storages", OWN_STORAGE)

    @property
    def redirects(self) -> Redirects:
        """Stored redirects by their keys."""
        return Redirects(self)

    @redirects.setter
    def redirects(self, storage: object) -> None:
        raise AIOHTTP_CLIENT_CACHE.refusal("storages", OWN_STORAGE)

    async def records(self, *, hops: bool = False) -> list[Record]:
        """What is stored; or the redirects that lead to it, which aiohttp-client-cache does not count."""
        unseen = REDIRECTS - self.codes
        found = [each for each in await self.work().records() if (each.head.status in unseen) is hops]
        return sorted(found, key=lambda record: record.head.received_at)

    async def shown(self, record: Record) -> CachedResponse | None:
        """A stored response with its content; None where that is gone or cannot be read."""
        try:
            body = await self.work().body(record)
            content = without_coding(record.headers.get("content-encoding") or "", body)
        except Exception:  # broken, forged or gone: the others go on
            return None
        return stored(record, content)

    async def by_key(self, key: str) -> Record | None:
        """What is stored under a key, a redirect or not."""
        try:
            found = await self.work().of_partition(bytes.fromhex(key))
        except ValueError:
            return None
        return found[0] if found else None

    # the verbs of aiohttp-client-cache

    @property
    def disabled(self) -> bool:
        """Whether the cache is bypassed here."""
        return self.bypassed.get()

    @disabled.setter
    def disabled(self, value: bool) -> None:
        self.bypassed.set(value)

    def is_method_allowed(self, method: str) -> bool:
        """Whether responses to a method are kept."""
        return method.upper() in self.allowed_methods

    def create_cache_actions(
        self, key: str, url: Any, expire_after: ExpirationTime = None, refresh: bool = False, **kwargs: Any
    ) -> CacheActions:
        """What aiohttp-client-cache would do with a request."""
        return CacheActions.from_request(
            key,
            url=url,
            request_expire_after=expire_after,
            refresh=refresh,
            session_expire_after=self.expire_after,
            urls_expire_after=self.urls_expire_after,
            cache_control=self.cache_control,
            cache_disabled=self.disabled,
            **kwargs,
        )

    async def is_cacheable(self, response: Any, actions: CacheActions | None = None) -> bool:
        """Whether a response is one to be kept, and to be given out."""
        if not response or self.disabled or not self.is_method_allowed(str(response.method)):
            return False
        unwritten = getattr(response, "is_expired", False) or (actions is not None and actions.skip_write)
        return response.status in self.allowed_codes and not unwritten and await self.wanted(response)

    async def request(self, actions: CacheActions) -> CachedResponse | None:
        """The stored response that answers a request, if any."""
        return None if actions.skip_read else await self.get_response(actions.key or "")

    async def get_response(self, key: str) -> CachedResponse | None:
        """The stored response of a key; one that is not to be given out is removed, and None."""
        record = await self.final(await self.by_key(key))
        found = None if record is None else await self.shown(record)
        if found is None or await self.is_cacheable(found):
            return found
        await self.delete(key)
        return None

    async def chain(self, record: Record | None) -> list[Record]:
        """A response and, of a redirect, what it leads to, step by step."""
        found: list[Record] = []
        while record is not None and len(found) < _LONGEST_CHAIN:
            found.append(record)
            if not self.is_hop(record):
                break
            # What was imported lies where it is asked for by itself.
            record = await self.target(record) or await self.target(record, apart=False)
        return found

    def is_hop(self, record: Record) -> bool:
        """Whether it is a redirect that is followed."""
        return record.head.status in REDIRECTS - self.codes

    async def target(self, record: Record, *, apart: bool = True, headers: Any = None) -> Record | None:
        """What a redirect leads to.

        :param apart: where it lies apart from what is asked for by itself.
        :param headers: of the request, as it would be sent; left out, those of the session.
        """
        url = URL(record.head.url).join(URL(record.headers.get("location") or ""))
        with asking_for(SOMETHING_ELSE) if apart else nullcontext():
            if headers is not None:
                return await self.known(record.head.method, url, headers)
            return await self.work().matching(str(url), record.head.method, {})

    async def final(self, record: Record | None) -> Record | None:
        """What a redirect leads to."""
        last = next(reversed(await self.chain(record)), None)
        return None if last is None or self.is_hop(last) else last

    async def save_response(self, response: Any, cache_key: str | None = None, expires: Any = None) -> None:
        """Store a response that did not come by a session."""
        from sansio_cache_adapters.aiohttp.lookup import given_response
        from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses

        kept = AsyncStoredResponses(self.caching().inner, plain_request_maker(), given_response)
        await kept.put(response, response, expire_after=expires)

    async def delete(self, key: str) -> None:
        """Remove what is stored under a key, and all that a redirect there leads to."""
        for each in await self.chain(await self.by_key(key)):
            await self.work().discard(each.head.partition)

    async def bulk_delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys."""
        for key in keys:
            await self.delete(key)

    async def delete_url(self, url: Any, method: str = "GET", **kwargs: Any) -> None:
        """Remove what is stored for a request."""
        await self.delete(await self._key(url, method, kwargs))

    async def has_url(self, url: Any, method: str = "GET", **kwargs: Any) -> bool:
        """Whether something is stored for a request."""
        return await self.by_key(await self._key(url, method, kwargs)) is not None

    async def _key(self, url: Any, method: str, keywords: dict[str, Any]) -> str:
        keywords.pop("json_serialize", None)
        key = await self.work().key(url, method, dict(keywords))
        if await self.by_key(key) is None:
            # A redirect that another has led to answers for itself there, too.
            with asking_for(SOMETHING_ELSE):
                followed = await self.work().key(url, method, dict(keywords))
            record = await self.by_key(followed)
            if record is not None and self.is_hop(record):
                return followed
        return key

    def create_key(self, method: str, url: Any, **kwargs: Any) -> str:
        """The key of a request, as far as its method, URL and fields tell; opens the store if that was not done."""
        if kwargs.keys() & {"data", "json", "headers"}:
            AIOHTTP_CLIENT_CACHE.differs("create-key", "create_key() makes keys of a method, a URL and parameters")
        engine = self.caching().engine
        rules = engine.rules or engine.take_meta(self.store.open(signed=engine.sealer.signed))
        whole = normalize_url_params(url, kwargs.get("params"))
        return rules.maker.keys(Request(method.upper(), str(whole))).partition.hex()

    async def get_urls(self) -> AsyncIterator[URL]:
        """The URLs of what is stored."""
        async for response in self.responses.values():
            yield response.url

    async def delete_expired_responses(self) -> None:
        """Remove what has expired, and what the filter would not keep."""
        await self.work().delete(criteria_of((), (), (), True, None, False, ()))
        if self.filter_fn is keep_all:
            return
        for record in await self.records():
            found = await self.shown(record)
            if found is not None and not await self.wanted(found):
                await self.work().discard(record.head.partition)

    async def wanted(self, response: Any) -> bool:
        """Whether the filter keeps a response."""
        said: Any = self.filter_fn(response)
        return bool(await said if asyncio.iscoroutine(said) else said)

    async def clear(self) -> None:
        """Remove everything."""
        await self.work().clear()

    async def close(self) -> None:
        """Write what is queued, close files and connections; using the cache opens them again."""
        await self.caching().tasks.close(5.0)
        await self.caching().inner.close()

    async def close_if_enabled(self) -> None:
        if self.autoclose:
            await self.close()
        else:
            await self.caching().close()
