"""Keeping: a response on its way into the store, from its head to the end of its body."""

from __future__ import annotations

from typing import Final, NamedTuple

from .bodies import expected_length
from .filtering import Decode, passes_filter
from .freshness import Facts, expires_at
from .keys import Keys
from .messages import HTTP_1_1, Headers, Kept, Received, Request
from .policy import Policy
from .precedence import Told, told
from .records import (
    CHUNK_SIZE,
    FORMAT,
    Head,
    Item,
    Place,
    body_digest,
    digest_for,
    seal_head,
    variant_of,
)
from .sealing import Sealer
from .storing import Storing, dated_headers, storable_headers
from .urls import redact

__all__ = ["Keeping", "Superseded", "purge_time"]

_ROOM: Final = 30 * 86_400.0
"""Seconds that a stale response with a validator stays: a 304 is cheaper than its body."""
_LITTLE_ROOM: Final = 86_400.0


def purge_time(stale_at: float, facts: Facts, policy: Policy) -> float:
    """From when a record may be removed: stale, with room for stale use and validation. POSIX seconds."""
    room = _ROOM if facts.validator else _LITTLE_ROOM
    terms = facts.terms(policy)
    return stale_at + max(room, terms.while_revalidate, terms.if_error, policy.longest_grace)


class Superseded(NamedTuple):
    """A stored response that a newer answer of the origin takes the place of: it is removed if it still has this rev.

    :ivar certain: even if the content of the newer one does not come whole.
    """

    variant: bytes
    rev: int
    certain: bool


class Keeping:
    """A decision to store a response whose body has still to come.

    An adapter feeds the body to the store, then calls :meth:`finish` once, at a clean end, and commits the item that
    it gives. Where the body breaks off, nothing is called, and nothing was stored. However it ends, the adapter removes
    what is :attr:`superseded`, save what the commit has replaced; after a break only what is certain to be.

    :param time: the user's time for it; None: that of the request and the settings.
    :ivar method: the request's; ``url`` too.
    :ivar status: the response's status code.
    :ivar headers: its fields as received.
    :ivar expected: the length in bytes that its framing promises, or None.
    :ivar stale_at: when it becomes stale; POSIX seconds, infinite for never.
    :ivar vary_limit: how many variants of one partition are kept.
    :ivar superseded: what this response takes the place of.
    """

    __slots__ = (
        "_facts",
        "_place",
        "_policy",
        "_remembered",
        "_request",
        "_response",
        "_sealer",
        "_vary",
        "expected",
        "headers",
        "keys",
        "max_body",
        "method",
        "stale_at",
        "status",
        "superseded",
        "url",
        "vary_limit",
    )

    def __init__(
        self,
        request: Request,
        response: Received,
        facts: Facts,
        vary: tuple[tuple[str, bytes], ...],
        keys: Keys,
        place: Place,
        sealer: Sealer,
        policy: Policy,
        superseded: tuple[Superseded, ...] = (),
        time: Told | None = None,
    ) -> None:
        self._request = request
        self._response = response
        self._facts = facts
        self._vary = vary
        self._place = place
        self._sealer = sealer
        self._policy = policy
        self.keys: Keys = keys
        self.max_body: int | None = policy.max_body
        self.superseded: tuple[Superseded, ...] = superseded
        self.method: str = request.method
        self.url: str = request.url
        self.status: int = response.status
        self.headers: Headers = response.headers
        self.expected: int | None = expected_length(self.method, self.status, self.headers)
        self.vary_limit: int = policy.vary_limit
        time = told(request, None, policy, response.received_at) if time is None else time
        self._remembered = time.remembered
        self.stale_at: float = expires_at(facts, self.status, response.received_at, policy, time.expiry)

    def finish(
        self, body: bytes | None, entry: bytes, length: int, hashes: bytes, decode: Decode | None = None
    ) -> Item | Storing:
        """The item to commit, or why it is not kept after all.

        :param body: the whole body where it goes beside its head, else None.
        :param entry: the id under which the chunks were written; ``b""`` with a body.
        :param length: bytes of the body.
        :param hashes: those of its chunks, as :class:`~sansio_cache.bodies.Intake` has made them.
        :param decode: takes content codings off where ``filter_fn`` looks at the content.
        :raises Exception: whatever ``filter_fn`` raises.
        """
        response, policy = self._response, self._policy
        headers = storable_headers(dated_headers(response.headers, response.received_at), policy)
        keep = policy.filter_fn
        if keep is not None:
            kept = Kept(response.status, response.reason, response.headers, body)
            if not passes_filter(keep, policy.filter_arguments, self._request, kept, decode):
                return Storing.FILTERED
        head = Head(
            format=FORMAT,
            store_id=self._place.store_id,
            namespace=self._place.namespace,
            resource=self.keys.resource,
            partition=self.keys.partition,
            method=self._request.method,
            status=response.status,
            reason=response.reason,
            headers=headers.items,
            vary=self._vary,
            requested_at=response.requested_at,
            received_at=response.received_at,
            length=length,
            chunk_size=CHUNK_SIZE,
            digest=body_digest(hashes, digest_for(policy.body_digest, length)),
            facts=self._facts,
            url=redact(self._request.url),
            tags=self._request.options.tags,
            stale_at=self.stale_at,
            remembered=self._remembered,
            version=response.version if 0 <= response.version <= 99 else HTTP_1_1,
        )
        item = item_of(head, self._sealer, policy, body=body, entry=entry, hashes=hashes)
        return Storing.TOO_LARGE if item is None else item


def item_of(
    head: Head,
    sealer: Sealer,
    policy: Policy,
    *,
    body: bytes | None,
    entry: bytes,
    hashes: bytes,
) -> Item | None:
    """A head as a store takes it, or None where it is too large to be kept."""
    sealed = seal_head(head, sealer)
    if sealed is None:
        return None
    return Item(
        resource=head.resource,
        partition=head.partition,
        variant=variant_of(head.method, head.vary),
        sealed=sealed,
        body=body,
        entry=entry,
        hashes=hashes,
        size=head.length,
        requested_at=head.requested_at,
        received_at=head.received_at,
        stale_at=head.stale_at,
        purge_at=purge_time(head.stale_at, head.facts, policy),
        url=head.url,
        method=head.method,
        status=head.status,
        tags=head.tags,
    )
