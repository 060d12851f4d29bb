"""Which requests are one to other caches: in spite of the order of their parameters, but never of two methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit, urlunsplit

from sansio_cache.keys import digest_of, with_parameters
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.request_bodies import body_parts
from sansio_cache.urls import foreign_authority, normalise

__all__ = ["keyed_by_method", "names_a_user", "url_shown"]


_SEPARATES: Final = Policy().separates


def names_a_user(field: str) -> bool:
    """Whether a request field separates users whatever a program says."""
    return _SEPARATES[field.lower()]


def keyed_by_method(
    ignored: frozenset[str],
    is_followed: Callable[[str], bool] | None = None,
    in_body: Callable[[Request], frozenset[str]] | None = None,
) -> Callable[[Request], bytes]:
    """A ``key_fn`` that tells methods apart, and parameters by their names alone.

    :param is_followed: whether a redirect led to a URL; left out, that makes no difference.
    :param in_body: what to leave out of a body; left out, the same as of a URL.

    Ours lets a stored GET answer HEAD, and an unsafe request invalidate what is stored of its URL. Theirs do neither.
    """

    def key(request: Request) -> bytes:
        url, _ = normalise(request.url)
        host = foreign_authority(request.url, request.headers.lines("host")) or ""
        parts = [request.method, host, with_parameters(url, ignored, ordered=False)]
        if is_followed is not None and is_followed(request.url):
            parts.append("followed")
        body: tuple[bytes, ...] = ()
        if request.body:
            names = ignored if in_body is None else in_body(request)
            body = body_parts(request.body, request.headers.get("content-type") or "", names, ordered=False)
        return digest_of(*(part.encode("utf-8", "surrogatepass") for part in parts), *body)

    return key


def url_shown(url: str, ignored: frozenset[str]) -> str:
    """A URL as theirs show a stored one: where any are ignored sorted, and nothing said of those."""
    parts = urlsplit(url)
    if not parts.query or not ignored:
        return url
    pairs = sorted(parse_qsl(parts.query))
    # As their urlencode has it, and those without a value behind.
    query = urlencode([(name, "REDACTED" if name in ignored else value) for name, value in pairs], quote_via=quote_plus)
    bare = "&".join(sorted(name for name in parts.query.split("&") if name and "=" not in name))
    return urlunsplit(parts._replace(query="&".join(filter(None, (query, bare)))))
