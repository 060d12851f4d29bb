"""Responses put in by hand: judged, stored and signed as if the network had just brought them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from sansio_cache.errors import SettingError
from sansio_cache.messages import Headers, Kept, Received, Request

from .exchange import NativeResponse
from .session_cache import SessionCache
from .tee import Tee

__all__ = ["BODY_GONE", "GivenResponse", "Put", "core_given", "decoded", "no_response", "put"]

_OF_THE_CODING: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
BODY_GONE: Final = (
    "put takes a response whose whole body is still there: read it first, or put it in before it is closed"
)


def no_response(takes: str, given: object) -> SettingError:
    """The error where ``put`` was given something else than it takes: another client's response looks the same."""
    kind = type(given)
    package = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"
    return SettingError(f"put takes {takes}, or a Received and body=…, not {name}: {given!r}")


class Put(NamedTuple):
    """The result of putting a response in by hand; true where it is stored.

    :ivar reason: why it is not; ``""`` where it is.
    """

    stored: bool
    reason: str

    def __bool__(self) -> bool:
        return self.stored


class GivenResponse(NamedTuple):
    """A response put in by hand.

    :ivar received_at: POSIX seconds; None for now.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes
    received_at: float | None = None


def core_given(response: object, body: bytes | None) -> GivenResponse | None:
    """The response that a user gave as values of the core; None for anything else.

    :raises SettingError: for a body that is missing, or that is given twice.
    """
    if isinstance(response, Received):
        if not isinstance(body, bytes):
            raise SettingError(f"a Received is the head of a response: give its body=b'…' too, not {body!r}")
        return GivenResponse(response.status, response.reason, response.headers, body, response.received_at)
    if body is not None:
        raise SettingError("body= goes with a Received; any other response has a body of its own")
    if isinstance(response, Kept):
        if response.body is None:
            raise SettingError("this response comes without its body: give a Received and body=…")
        return GivenResponse(response.status, response.reason, response.headers, response.body)
    return None


def decoded(status: int, reason: str | None, fields: Iterable[tuple[str, str]], body: bytes) -> GivenResponse:
    """A response of a client whose content codings are decoded, without the fields about them."""
    headers = Headers(fields)
    coded = "content-encoding" in headers
    return GivenResponse(status, reason or "", headers.without(_OF_THE_CODING) if coded else headers, body)


class _Transfer:
    """A transfer that gives what it was given."""

    def __init__(self, given: GivenResponse) -> None:
        self._given = given

    def send(self, _: Request, /) -> Any:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        given = self._given
        return NativeResponse(given.status, given.reason, given.headers, self)

    def discard(self, native: object, /) -> Any:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""

    def abort(self, native: object, /) -> None:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""

    def drain(self, native: object, tee: Tee | None, /) -> Any:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""

    def detached(self) -> _Transfer:
        """See :class:`~sansio_cache_adapters.cache.exchange.Transfer`."""
        return self


async def put(cache: SessionCache, request: Request, given: GivenResponse) -> Put:
    """Judge a response to a request, and store it.

    :raises SettingError: the session writes nothing.
    """
    for name in ("offline", "read_only"):
        if getattr(cache.engine.policy, name):
            raise SettingError(f"a session with {name}=True stores nothing: put it in by another")
    asked = replace(request, options=replace(request.options, force_refresh=True))
    answered, _, tee = await cache.answering(asked, _Transfer(_aged(given, cache.engine.clock())))
    if tee is None:
        return Put(stored=False, reason=answered.cache_status.detail or "not-storable")
    await tee.take(given.body)
    return Put(stored=tee.outcome == "", reason=tee.outcome or "")


def _aged(given: GivenResponse, now: float) -> GivenResponse:
    """The response with the time that it has lain with the user in its Age (RFC 9111 §5.1)."""
    lain = 0 if given.received_at is None else int(now - given.received_at)
    if lain <= 0:
        return given
    age = given.headers.get("age") or "0"
    known = int(age) if age.isdecimal() and len(age) < 10 else 0
    return given._replace(headers=given.headers.with_field("Age", str(known + lain)))
