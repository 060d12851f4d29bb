"""Responses of another cache, prepared to be stored with their own times and expiry."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from .expiry import ANY_SETTINGS, Expiry, Resident, Until, pack
from .filtering import Decode
from .freshness import Facts, read_facts
from .keeping import Keeping, purge_time
from .lists import members
from .messages import Headers, Received, Request
from .policy import Policy
from .precedence import told
from .records import Item, Remembered
from .rules import Rules
from .storing import Storing, may_store
from .vary import nominated

__all__ = ["Adopted", "adopt", "with_room"]

_DECODED_BY_ALL: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""Content codings that every client takes off by itself."""


class Adopted(Keeping):
    """A response of another cache that is stored; see :func:`adopt`.

    :ivar at: when it is adopted; POSIX seconds.
    """

    __slots__ = ("at", "variant_fields")

    at: float
    variant_fields: tuple[tuple[str, bytes], ...]

    def finish(
        self, body: bytes | None, entry: bytes, length: int, hashes: bytes, decode: Decode | None = None
    ) -> Item | Storing:
        """See :meth:`~sansio_cache.keeping.Keeping.finish`.

        What has long been stale is not removed at once: it has the room of one that becomes stale now.
        """
        item = super().finish(body, entry, length, hashes, decode)
        return item if isinstance(item, Storing) else with_room(item, self._facts, self._policy, self.at)


def with_room(item: Item, facts: Facts, policy: Policy, now: float) -> Item:
    """An item that is not removed earlier than one that becomes stale now."""
    least = purge_time(now, facts, policy)
    return item if item.purge_at >= least else replace(item, purge_at=least)


def adopt(
    request: Request, response: Received, rules: Rules, expiry: Expiry | None, now: float, policy: Policy
) -> Adopted | Storing:
    """A response that another cache has kept, on its way into the store, or why it is not stored.

    :param expiry: the time that the other cache has given it. It counts whatever the settings of later sessions are,
        until the response is fetched anew; None: they decide, and the response.
    :param policy: that says from when on it is stale, for people, and for the store to make room.
    """
    kept = None if expiry is None else Remembered(pack(_ended(expiry, response.received_at)), ANY_SETTINGS)
    facts = read_facts(response, authorized="authorization" in request.headers)
    refusal = may_store(request, response, facts, rules.policy, expiry)
    if refusal is not Storing.KEEP:
        return refusal
    vary = tuple((name, rules.vary_tag(name, request.headers)) for name in _selecting(response.headers))
    keys = rules.maker.keys(request)
    time = told(request, kept, policy, response.received_at)
    keeping = Adopted(request, response, facts, vary, keys, rules.place, rules.sealer, policy, (), time)
    keeping.at = now
    keeping.variant_fields = vary
    return keeping


def _ended(expiry: Expiry, received_at: float) -> Expiry:
    """A time that had passed when the response came: it is to be validated before every use."""
    return Resident(0.0) if isinstance(expiry, Until) and expiry.at <= received_at else expiry


def _selecting(headers: Headers) -> tuple[str, ...]:
    """The request fields that select this response.

    Without a content coding, or in one that every client decodes, it serves requests with any Accept-Encoding: the
    other client need not have asked for the same codings.
    """
    names = nominated(headers)
    codings = members(headers.lines("content-encoding"))
    if codings is None or not _DECODED_BY_ALL.issuperset(codings):
        return names
    return tuple(name for name in names if name != "accept-encoding")
