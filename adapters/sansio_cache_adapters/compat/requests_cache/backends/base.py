"""``BaseCache``: a cache in memory, and what all caches of requests-cache have in common, over a store of ours."""

from __future__ import annotations

import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests

from sansio_cache.expiry import Until
from sansio_cache.messages import Received
from sansio_cache.records import Record
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.maintenance import Maintenance, criteria_of
from sansio_cache_adapters.cache.opening import KeptUnder
from sansio_cache_adapters.cache.reading import without_coding
from sansio_cache_adapters.cache.response_attributes import moment
from sansio_cache_adapters.cache.setup import set_up
from sansio_cache_adapters.cache.stored_responses import StoredResponses
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE
from sansio_cache_adapters.compat.places import MOST_BYTES
from sansio_cache_adapters.compat.requests_cache.models import CachedRequest, CachedResponse
from sansio_cache_adapters.compat.requests_cache.models.request import prepared_of, to_be_keyed
from sansio_cache_adapters.compat.requests_cache.models.response import stored
from sansio_cache_adapters.compat.requests_cache.policy.expiration import (
    ExpirationTime,
    expiry_for,
    get_expiration_datetime,
)
from sansio_cache_adapters.compat.requests_cache.policy.settings import DEFAULT_CACHE_NAME, CacheSettings, policy_of
from sansio_cache_adapters.compat.requests_cache.serializers import secret_of
from sansio_cache_adapters.requests.adapter import cache_of
from sansio_cache_adapters.requests.lookup import given_response, request_maker
from sansio_cache_adapters.requests.plain import PLAIN
from sansio_cache_adapters.stores.forking import renew_in_child
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.settings import UNGIVEN
from sansio_cache_adapters.stores.work import do

from .chains import chains_of
from .storage import OWN_KEYS, OWN_STORAGE, BaseStorage, DictStorage, Redirects, Responses, Stored

__all__ = ["BaseCache", "BaseStorage", "DictStorage"]

DESERIALIZE_ERRORS: Final = (AttributeError, ImportError, TypeError, ValueError)
_SAYS_NOTHING: Final = frozenset(
    {
        *("wal", "fast_save", "timeout", "check_same_thread", "isolation_level", "detect_types", "cached_statements"),
        *("factory", "uri", "lock", "sync_index", "block_bytes", "extension", "table_name", "ttl", "ttl_offset"),
    }
)
"""What backends of requests-cache take and what makes no difference here."""


class BaseCache:
    """A cache. By itself it is in memory; its subclasses say where else one may lie.

    :param cache_name: a name; of subclasses a path or a prefix.
    :param serializer: taken, and of no effect: there is one form of records. That of ``safe_pickle_serializer`` gives
        its secret to the signatures.
    """

    decodes = False  # whether requests-cache would keep the text of a body in the place of its bytes

    def __init__(self, cache_name: Any = DEFAULT_CACHE_NAME, serializer: Any = None, **kwargs: Any) -> None:
        # In memory requests-cache makes no use of a serializer, and asks for none by name.
        secret = None if isinstance(serializer, str) else getattr(serializer, "secret_key", None)
        options: dict[str, Any] = {} if secret is None else {"secret_key": secret}
        self._begin(cache_name, MemoryStore(max_bytes=MOST_BYTES, **options), kwargs)

    def _begin(self, cache_name: Any, store: Any, kwargs: dict[str, Any]) -> None:
        self.cache_name: str = str(cache_name)
        self._store = store
        self._settings = CacheSettings()
        self._had_codes: frozenset[int] = frozenset()
        self._made: tuple[object, BlockingCache] | None = None
        self._lock = threading.RLock()
        renew_in_child(self, "_lock", threading.RLock)
        self._session: weakref.ref[requests.Session] | None = None
        self._plain = PLAIN()
        known = {*_SAYS_NOTHING, *CacheSettings.__dataclass_fields__}
        for name in kwargs.keys() - known - {"old_data_on_error", "include_get_headers"}:
            REQUESTS_CACHE.differs("keywords", f"{type(self).__name__} takes {name}= and does nothing with it")

    @staticmethod
    def _secret(serializer: Any, decode_content: bool = False) -> dict[str, Any]:
        """What a store is given for a serializer."""
        secret = secret_of(serializer)
        return {} if secret is None else {"secret_key": secret}

    # what sessions ask

    def caching(self) -> BlockingCache:
        """The cache that does what the settings say now."""
        state = self._settings.state()
        made = self._made
        if made is not None and made[0] == state:
            return made[1]
        with self._lock:
            self._tell_of_codes()
            cache = cache_of(set_up(self._store, UNGIVEN, policy_of(self._settings), None, time.time))
            self._made = state, cache
            return cache

    def _tell_of_codes(self) -> None:
        if not self._had_codes <= self._settings.codes:
            REQUESTS_CACHE.differs("codes", "what is stored answers while its status is in allowable_codes")
        self._had_codes |= self._settings.codes

    def kept_under(self) -> KeptUnder:
        """What the responses lie in, and under which settings: for ``import_cache``."""
        engine = self.caching().engine
        return KeptUnder(engine.store, engine.sealer, engine.policy)

    def serves(self, session: requests.Session) -> None:
        """Make requests for looking into the cache as this session would."""
        self._session = weakref.ref(session)

    def matching(self, request: Any, session: requests.Session, **sending: Any) -> Record | None:
        """The stored response, fresh or stale, that a request would be answered from."""
        return do(self._work(session).matching(request, "GET", sending))

    def _work(self, session: requests.Session | None = None) -> Maintenance:
        session = session or (None if self._session is None else self._session()) or self._plain
        peer = getattr(session, "_peer", None)
        return Maintenance(self.caching().engine, request_maker(session, peer))

    @property
    def settings(self) -> CacheSettings:
        """What its sessions do."""
        return self._settings

    @settings.setter
    def settings(self, value: CacheSettings) -> None:
        self._settings = value

    # what is stored

    @property
    def responses(self) -> Responses:
        """The stored responses by their keys."""
        return Responses(self)

    @responses.setter
    def responses(self, storage: object) -> None:
        raise REQUESTS_CACHE.refusal("storages", OWN_STORAGE)

    @property
    def redirects(self) -> Redirects:
        """Stored redirects, and the keys of what they lead to."""
        return Redirects(self)

    @redirects.setter
    def redirects(self, storage: object) -> None:
        raise REQUESTS_CACHE.refusal("storages", OWN_STORAGE)

    @property
    def db_path(self) -> str | Path:
        """The path of the file, of caches that have one."""
        raise NotImplementedError

    def entries(self) -> list[Stored]:
        """What is stored, as requests-cache counts it: a redirect that is followed is one with what it leads to."""
        return chains_of(do(self._work().records()), self._settings.codes)

    def shown(self, entry: Stored) -> CachedResponse | None:
        """A stored response with its content; None where that is gone or cannot be read."""
        try:
            content = self._content(entry.record)
        except Exception:  # broken, forged or gone: the others go on
            return None
        ignored = frozenset(self._settings.ignored_parameters or ())
        history = [stored(hop, b"", [], ignored) for hop in entry.history]
        made = stored(entry.record, content, history, ignored)
        made.__dict__["cache_key"] = entry.key
        return made

    def of_record(self, record: Record) -> CachedResponse | None:
        """A stored response by its record."""
        return self.shown(Stored(_key(record), record, ()))

    def _content(self, record: Record) -> bytes:
        body = do(self._work().body(record))
        return without_coding(record.headers.get("content-encoding") or "", body)

    def held(self, record: Record) -> Callable[[Any, requests.Session], CachedResponse] | None:
        """What stores a response again as it is now, whatever becomes of it meanwhile; None if it cannot be read."""
        try:
            body = do(self._work().body(record))
            content = without_coding(record.headers.get("content-encoding") or "", body)
        except Exception:  # broken, forged or gone
            return None

        def put_back(request: Any, session: requests.Session) -> CachedResponse:
            head, expires = record.head, moment(record.head.stale_at)
            as_it_was = Received(head.status, head.reason, record.headers, head.requested_at, head.received_at)
            expire_after = -1 if expires is None else expires
            if not self._settings.read_only:
                self._kept_for(session).put(request, as_it_was, body, expire_after=expire_after)
            return stored(record, content, [], frozenset(self._settings.ignored_parameters or ()))

        return put_back

    def _kept_for(self, session: requests.Session) -> StoredResponses:
        return StoredResponses(self.caching(), request_maker(session, getattr(session, "_peer", None)), given_response)

    def give_time(self, record: Record, expiry: Any, created_at: datetime | None) -> datetime | None:
        """Keep a response that has just been stored for another time; the moment when that ends, None for never."""
        do(self._work().expire(record, expiry))
        began = record.head.received_at if created_at is None else created_at.timestamp()
        return moment(expiry.at if isinstance(expiry, Until) else began + expiry.seconds)

    def by_key(self, key: str) -> CachedResponse | None:
        """The stored response of a key."""
        entry = next((each for each in self.entries() if each.key == key), None)
        return None if entry is None else self.shown(entry)

    def discard(self, key: str) -> bool:
        """Remove what is stored under a key; whether there was anything."""
        try:
            return do(self._work().discard(bytes.fromhex(key))) > 0
        except ValueError:
            return False

    def bytes_held(self) -> int:
        """How many bytes are held."""
        size: int = self._store.size().bytes
        return size

    # the verbs of requests-cache

    def get_response(self, key: str, default: Any = None) -> Any:
        """The stored response of a key."""
        found = self.by_key(key)
        return default if found is None else found

    def save_response(self, response: requests.Response, cache_key: str | None = None, expires: Any = None) -> None:
        """Store a response that did not come by a session."""
        request: Any = getattr(response, "request", None)
        thing = prepared_of(request) if isinstance(request, CachedRequest) else request
        if thing is None:
            raise TypeError("a response is stored for its request: response.request is None")
        session = (None if self._session is None else self._session()) or self._plain
        if cache_key and cache_key != self.create_key(thing):
            REQUESTS_CACHE.differs("keys", OWN_KEYS)
        self._kept_for(session).put(thing, response, expire_after=expires)

    def create_key(self, request: Any, match_headers: Iterable[str] | None = None, **kwargs: Any) -> str:
        """The key of a request."""
        thing = to_be_keyed(request)
        return do(self._work().key(thing, "GET", {name: kwargs[name] for name in ("verify",) if name in kwargs}))

    def contains(
        self, key: str | None = None, request: Any = None, url: str | None = None, verify: bool = True
    ) -> bool:
        """Whether something is stored for a key, a request, or a GET of a URL."""
        if url:
            request = requests.Request("GET", url)
        if request is not None and not key:
            key = self.create_key(request, verify=verify)
        try:
            return bool(key) and bool(do(self._work().of_partition(bytes.fromhex(key or ""))))
        except ValueError:
            return False

    def delete(
        self,
        *keys: str,
        expired: bool = False,
        invalid: bool = False,
        older_than: ExpirationTime = None,
        requests: Iterable[Any] | None = None,
        urls: Iterable[str] | None = None,
        verify: bool = True,
        vacuum: bool = True,
    ) -> None:
        """Remove what matches any of these."""
        for key in [*keys, *(self.create_key(request, verify=verify) for request in requests or ())]:
            self.discard(key)
        age = _age(older_than)
        if urls or expired or invalid or age is not None:
            do(self._work().delete(criteria_of((), list(urls or ()), (), expired, age, invalid, ())))

    def filter(
        self, valid: bool = True, expired: bool = True, invalid: bool = False, older_than: ExpirationTime = None
    ) -> Iterator[CachedResponse]:
        """The stored responses that are any of these."""
        if not any((valid, expired, invalid, older_than)):
            return
        for entry in self.entries():
            response = self.shown(entry)
            if response is None:
                if invalid:
                    yield CachedResponse(status_code=504, cache_key=entry.key)
            elif (
                (valid and not response.is_expired)
                or (expired and response.is_expired)
                or (older_than and response.is_older_than(older_than))
            ):
                yield response

    def sorted(
        self,
        key: str = "expires",
        reversed: bool = False,  # noqa: A002
        limit: int | None = None,
        expired: bool = True,
    ) -> Iterator[CachedResponse]:
        """The stored responses in an order: by ``expires``, ``size`` or ``key``."""
        orders: dict[str, Callable[[CachedResponse], Any]] = {
            "expires": lambda response: response.expires_unix or 0,
            "size": _weight,
            "key": lambda response: response.cache_key,
        }
        if key not in orders:
            raise ValueError(f"Invalid sort key: {key}")
        found = sorted(BaseCache.filter(self, expired=expired), key=orders[key], reverse=reversed)
        return iter(found[:limit] if limit else found)

    def count(self, expired: bool = True) -> int:
        """How many there are."""
        return self.responses.count(expired)

    def urls(self, **kwargs: Any) -> list[str]:
        """The URLs stored, each once."""
        return sorted({response.url or "" for response in self.filter(**kwargs)})

    def reset_expiration(self, expire_after: ExpirationTime = None) -> None:
        """Give everything that is stored another time, from now on."""
        at = get_expiration_datetime(expire_after)
        expiry = expiry_for(-1 if at is None else at)
        work = self._work()
        for record in do(work.records()):
            do(work.expire(record, expiry))

    def recreate_keys(self) -> None:
        """Nothing: keys are made of requests, and of these no fields and bodies are kept."""
        REQUESTS_CACHE.differs(
            "recreate-keys", "recreate_keys() does nothing: what is stored under other settings is stored anew"
        )

    def remove_expired_responses(self, expire_after: ExpirationTime = None) -> None:
        """Remove what has expired."""
        said = "remove_expired_responses() is deprecated; please use delete(expired=True) instead"
        warnings.warn(said, DeprecationWarning, stacklevel=2)
        if expire_after:
            self.reset_expiration(expire_after)
        self.delete(expired=True, invalid=True)

    def update(self, other: BaseCache) -> None:
        """Store what another cache holds, too."""
        if type(other) is not type(self):
            REQUESTS_CACHE.differs("update", "what comes from a cache of another kind answers here, too")
        records = {each.head.partition: each for entry in other.entries() for each in (*entry.history, entry.record)}
        for record in records.values():
            response = other.of_record(record)
            if response is not None:
                self.save_response(response, expires=-1 if response.expires is None else response.expires)

    def clear(self) -> None:
        """Remove everything."""
        do(self._work().clear())

    def close(self) -> None:
        """Write what is queued, close files and connections; using the cache opens them again."""
        if self._made is not None:
            self._made[1].close()
        else:
            self._store.close()

    def __str__(self) -> str:
        return f"<{type(self).__name__}(name={self.cache_name})>"

    __repr__ = __str__


def _weight(response: Any) -> int:
    """About how much of a cache a response takes."""
    fields = sum(len(name) + len(value) for name, value in response.headers.items())
    size: int = response.size + fields
    return size + sum(_weight(hop) for hop in response.history)


def _key(record: Record) -> str:
    return record.head.partition.hex()


def _age(older_than: ExpirationTime) -> float | timedelta | None:
    at = get_expiration_datetime(older_than, negative_delta=True) if older_than else None
    return None if at is None else max(time.time() - at.timestamp(), 0.0)
