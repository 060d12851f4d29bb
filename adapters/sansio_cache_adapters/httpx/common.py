"""Between httpx2's types and the core's: what both transports have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, cast

import httpx2

from sansio_cache.decisions import Answer
from sansio_cache.errors import SettingError
from sansio_cache.messages import NO_OPTIONS, Headers, Options, Request, headers_of, version_name, version_of
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.exchange import NativeResponse
from sansio_cache_adapters.cache.notices import warn_once
from sansio_cache_adapters.cache.options import OPTIONS, take_options
from sansio_cache_adapters.cache.response_attributes import moment
from sansio_cache_adapters.cache.switches import DISABLED
from sansio_cache_adapters.cache.switches import bypassed as bypassed_status
from sansio_cache_adapters.cache.tee import Tee

from .peers import Peer

__all__ = [
    "EXTENSION",
    "Timeouts",
    "bypassed",
    "core_request",
    "core_response",
    "follow",
    "known",
    "native_headers",
    "outgoing",
    "stored_response",
]

EXTENSION: Final = "sansio_cache"
"""The request extension that holds what a single request says to the cache."""
_NAMES: Final = frozenset(OPTIONS)
_NO_TIMES: Final[dict[str, None]] = dict.fromkeys(("created_at", "stored_at", "expires", "expires_at"))


def native_headers(headers: Headers) -> httpx2.Headers:
    """Header fields as httpx2 has them, byte for byte."""
    return httpx2.Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])


def core_request(request: httpx2.Request, peer: Peer) -> Request:
    """A request as the core sees it; it is not touched, and its body not consumed.

    :raises SettingError: for an option of wrong name, type or value in its extensions.
    """
    body = _known_body(request.stream)
    given = request.extensions.get(EXTENSION)
    if not _NAMES.isdisjoint(request.extensions):
        _tell_misplaced(request.extensions)
    options = NO_OPTIONS if given is None else _options(given)
    return Request(request.method, str(request.url), headers_of(request.headers.raw), body, peer.of(request), options)


def _tell_misplaced(extensions: Mapping[str, object]) -> None:
    """Warn of options beside the extension that holds them: another transport's, perhaps, but of no effect here."""
    name = next(name for name in OPTIONS if name in extensions)
    warn_once(
        f'extensions={{"{name}": …}} says nothing to the cache: write extensions={{"{EXTENSION}": {{"{name}": …}}}}'
    )


def _known_body(stream: object) -> bytes | None:
    # Content that is neither bytes nor a form of such can be read once only, or is a file: it belongs to the origin.
    fields: Any = getattr(stream, "fields", None) if isinstance(stream, _FORM) else ()
    if isinstance(stream, httpx2.ByteStream) or (fields and all(map(_is_at_hand, fields))):
        return b"".join(cast("Iterable[bytes]", stream))
    return None


def _is_at_hand(field: object) -> bool:
    """Whether a field of a multipart form is text or bytes; ``file`` is what httpx2 reads of one that has a name."""
    return isinstance(getattr(field, "file", b""), str | bytes)


def _options(given: object) -> Options:
    if not isinstance(given, Mapping):
        raise SettingError(f'extensions={{"{EXTENSION}": …}} takes a dict of {", ".join(OPTIONS)}, not {given!r}')
    keywords: dict[str, Any] = dict(given)  # pyright: ignore[reportUnknownArgumentType] - the user's
    options = take_options(keywords)
    if keywords:
        raise SettingError(f"{next(iter(keywords))!r} is no option of a request: there are {', '.join(OPTIONS)}")
    return options


class Timeouts(dict[str, Any]):
    """The timeouts of a request that we send, to be changed under way.

    Transports below may copy the request, and httpx2 looks only when it begins to read: this object stays the same.
    """


def outgoing(request: httpx2.Request, asked: Request, wanted: Request) -> httpx2.Request:
    """The request to send: the user's, with the validators that the core added, and extensions of its own.

    :param asked: the user's request, as the core had it.
    :param wanted: what the core made of that.
    """
    headers = request.headers if wanted.headers is asked.headers else native_headers(wanted.headers)
    extensions = {name: value for name, value in request.extensions.items() if name != EXTENSION}
    timeouts = extensions.get("timeout", {})
    extensions["timeout"] = timeouts if isinstance(timeouts, Timeouts) else Timeouts(timeouts)
    return httpx2.Request(request.method, request.url, headers=headers, stream=request.stream, extensions=extensions)


def core_response(
    native: httpx2.Response, inner: object, asked: Request, refusal: str
) -> NativeResponse[httpx2.Response]:
    """A response with what the rules need of it, and why it must not be kept, if so.

    :param inner: the transport that brought it.
    """
    reason: bytes = native.extensions.get("reason_phrase", b"")
    headers = headers_of(native.headers.raw)
    refusal = refusal or authenticated.why_not_kept(inner, asked, native.status_code, headers)
    version: bytes = native.extensions.get("http_version", b"")
    tenths = version_of(version.decode("latin-1"))
    return NativeResponse(native.status_code, reason.decode("latin-1"), headers, native, refusal, tenths)


def known(answer: Answer, engine: Engine) -> dict[str, Any]:
    """The attributes of an answer, as response extensions."""
    record = answer.record
    kept_at = engine.clock() if answer.keeping is not None else None
    stored_at = moment(kept_at if record is None else record.head.received_at)
    expires_at = moment(answer.expires)
    return {
        "from_cache": record is not None and answer.from_cache,
        "created_at": stored_at,
        "stored_at": stored_at,
        "expires": expires_at,
        "expires_at": expires_at,
        "cache_key": answer.key.hex(),
        "revalidated": answer.revalidated,
        "cache_status": str(answer.cache_status),
    }


def follow(extensions: dict[str, Any], tee: Tee) -> None:
    """Let response extensions say what became of a body that is to be stored, now and later."""
    extensions["cache_status"] = str(tee.status)
    if tee.lost:
        extensions.update(_NO_TIMES)
    elif tee.outcome is None:
        tee.told = partial(follow, extensions)


def stored_response(
    answer: Answer,
    engine: Engine,
    stream: httpx2.SyncByteStream | httpx2.AsyncByteStream,
) -> httpx2.Response:
    """The response that an answer without the network gives."""
    headers = native_headers(answer.headers)
    extensions = {"http_version": version_name(answer.version).encode(), **known(answer, engine)}
    if answer.reason:
        extensions["reason_phrase"] = answer.reason.encode("latin-1")
    return httpx2.Response(answer.status, headers=headers, stream=stream, extensions=extensions)


def bypassed(native: httpx2.Response) -> httpx2.Response:
    """A response of the transport below, with what there is to be known of it."""
    status = bypassed_status(native.status_code, DISABLED)
    native.extensions.update(_NO_TIMES, from_cache=False, cache_key="", revalidated=False, cache_status=status)
    return native


# httpx2 does not show this type.
_FORM: Final = type(httpx2.Request("POST", "http://localhost/", files={"a": b""}).stream)
