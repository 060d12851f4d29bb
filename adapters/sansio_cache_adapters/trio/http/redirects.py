"""Redirects: where a response sends its request, and what goes along (RFC 9110 §15.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio

from sansio_cache.credentials import stays_with_origin
from sansio_cache.messages import REDIRECTS

from .content import OutgoingRequest
from .errors import StreamConsumed, TransportError
from .hop import Hop
from .url import join, parse

__all__ = ["drain", "location", "redirected"]

OF_CONTENT = frozenset(
    {
        "content-encoding", "content-language", "content-length", "content-location", "content-type",
        "digest", "last-modified", "transfer-encoding",
    }
)  # fmt: skip
"""Fields that go when the content goes (RFC 9110 §15.4)."""
DRAIN_BYTES = 64 * 1024
DRAIN_SECONDS = 2.0
"""How much of a redirect's body is read, so that its connection and a store can keep it; then it is dropped."""


def location(hop: Hop) -> str | None:
    """Where a hop redirects to, as it stands in Location; None where it does not."""
    if hop.status not in REDIRECTS:
        return None
    for name, value in hop.headers:
        if name.lower() == "location":
            # Many servers send UTF-8 where only ASCII is allowed.
            return value.encode("latin-1").decode("utf-8", "replace")
    return None


def redirected(
    request: OutgoingRequest,
    status: int,
    location: str,
    stays: Callable[[str], bool] = stays_with_origin,
) -> OutgoingRequest:
    """The next hop.

    ``stays`` tells of a field's name whether the field is for this origin only.

    :raises InvalidURL: the target is not a URL of http or https.
    :raises StreamConsumed: the content must be sent again and cannot.
    """
    old, new = parse(request.url), parse(join(request.url, location))
    method, body, unwanted = request.method, request.body, set[str]()
    # §15.4.2 and §15.4.3 allow what every browser does; §15.4.4 asks for it.
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        unwanted |= OF_CONTENT
    elif not isinstance(body, bytes) and not body.ready:
        raise StreamConsumed(f"{status} asks to send the content again, and it can be read once only")
    if new.origin != old.origin:
        unwanted |= {"host", *(name.lower() for name, _ in request.headers if stays(name))}
    return replace(
        request,
        method=method,
        # §10.2.2: a fragment is inherited. Userinfo is not: another origin must not choose as whom we log in.
        url=new.text if new.fragment else new.text + old.fragment,
        headers=[field for field in request.headers if field[0].lower() not in unwanted],
        body=body,
    )


async def drain(hop: Hop) -> bytes | None:
    """The raw body of a redirect, or None if it is long, slow or broken; the hop is closed."""
    pieces: list[bytes] = []
    size = 0
    complete = False
    try:
        with anyio.move_on_after(DRAIN_SECONDS):
            async for piece in hop.chunks:
                pieces.append(piece)
                size += len(piece)
                if size > DRAIN_BYTES:
                    break
            else:
                complete = True
    except TransportError:
        pass  # where to go is known already
    finally:
        await hop.aclose()
    return b"".join(pieces) if complete else None
