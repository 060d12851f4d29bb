"""The two keys of a stored response.

The **resource** key names the URL; the **partition** key names who asked for it and how. Both are SHA-256 over
length-prefixed parts, so that no two lists of parts meet. Golden vectors in the tests pin both.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final
from urllib.parse import unquote

import msgspec

from .errors import SettingError
from .functions import plain_result
from .lists import MAX_MEMBERS
from .memo import Memo, remembered
from .messages import Headers, Request
from .policy import Policy
from .request_bodies import body_parts, ignores
from .urls import foreign_authority, normalise
from .vary import nominated_value

__all__ = ["CoversBody", "Keys", "KeyMaker", "digest_of", "with_parameters"]

_RESOURCE = b"sansio-cache.resource.1"
_CUSTOM = b"sansio-cache.key-fn.1"
_PARTITION = b"sansio-cache.partition.1"
_SHAPE = b"sansio-cache.shape.1"


class Keys(msgspec.Struct, frozen=True, gc=False):
    """Where a stored response lies; both are 32 bytes."""

    resource: bytes
    partition: bytes


def digest_of(*parts: bytes) -> bytes:
    """SHA-256 over parts, each prefixed by its length in eight bytes."""
    return hashlib.sha256(_framed(*parts)).digest()


def _framed(*parts: bytes) -> bytes:
    pieces: list[bytes] = []
    for part in parts:
        length = len(part)
        pieces += (_LENGTHS[length] if length < _SHORT else length.to_bytes(8, "big"), part)
    return b"".join(pieces)


_SHORT: Final = 128
_LENGTHS: Final = [length.to_bytes(8, "big") for length in range(_SHORT)]
"""The prefixes of nearly all parts."""


class _Located(msgspec.Struct, frozen=True, gc=False):
    """The parts of a URL that go into a key: the resource that it names, and its userinfo."""

    resource: bytes
    userinfo: str | None


_REMEMBERED: Final = 4_194_304
"""Bytes of URLs whose place is remembered."""
_REMEMBERED_TAGS: Final = 131_072
"""Bytes of values that Vary nominates whose keyed hash is remembered: clients say the same with each request."""
_TAG_OVERHEAD: Final = 300
"""Bytes of what is remembered of one beside its text."""


def _located(url: str, ignored: frozenset[str] = frozenset(), ordered: bool = True) -> _Located:
    plain, userinfo = normalise.__wrapped__(url)  # what is made of it here is remembered already
    if ignored or not ordered:
        plain = with_parameters(plain, ignored, ordered=ordered)
    return _Located(digest_of(_RESOURCE, _utf8(plain)), userinfo)


_locate = remembered(_REMEMBERED)(_located)


def _at_host(resource: bytes, request: Request) -> bytes:
    host = foreign_authority(request.url, request.headers.lines("host"))
    return resource if host is None else digest_of(_RESOURCE, resource, _utf8(host))


class CoversBody(str):
    """What a ``key_fn`` gives that has looked at the body too: no more of it counts. Users stay separate."""

    __slots__ = ()


def _custom(said: str | bytes) -> bytes:
    return digest_of(_CUSTOM, _utf8(said) if isinstance(said, str) else said)


def _plain_partition(resource: bytes, method: bytes, peer: bytes, shape: bytes) -> bytes:
    """The digest of all parts of which only the resource, of 32 bytes, differs from one request to the next."""
    return hashlib.sha256(b"%b%b%b" % (_BEFORE, resource, _behind(method, peer, shape))).digest()


_BEFORE: Final = _framed(_PARTITION) + _LENGTHS[32]


@lru_cache(maxsize=256)
def _behind(method: bytes, peer: bytes, shape: bytes) -> bytes:
    return _framed(method, b"", b"", b"", peer, shape)


class KeyMaker:
    """Makes the keys of requests under one policy and one store's salt."""

    __slots__ = ("_locate", "_policy", "_salt", "_separates", "_shape", "_tags")

    def __init__(self, policy: Policy, salt: bytes) -> None:
        self._policy = policy
        self._salt = salt
        self._separates = policy.separates
        self._shape = _shape(policy)
        self._tags = Memo[tuple[str, ...], bytes](_REMEMBERED_TAGS)
        ignored, ordered = policy.ignored, policy.parameter_order
        plainly = not ignored and ordered
        locate = partial(_located, ignored=ignored, ordered=ordered)
        self._locate = _locate if plainly else remembered(_REMEMBERED)(locate)

    def keys(self, request: Request) -> Keys:
        """The keys of a request. ``request.body`` must be known where its method is not GET or HEAD."""
        if request.body:
            return self._made(request)
        # A request for the same again brings the very same fields: the fast paths, and a request on its way.
        known = request.headers.keyed
        asked = (self, request.url, request.method, request.peer)
        if known is not None and known[0] == asked:
            there: Keys = known[1]
            return there
        keys = self._made(request)
        if self._policy.key_fn is None:
            request.headers.keyed = asked, keys
        return keys

    def _made(self, request: Request) -> Keys:
        policy = self._policy
        located = self._locate(request.url)
        said = None if policy.key_fn is None else self._said(request)
        resource = _at_host(located.resource, request) if said is None else _custom(said)
        # GET and HEAD share a partition: a stored GET answers HEAD (RFC 9110 §9.3.2).
        method = b"GET" if request.method in ("GET", "HEAD") else request.method.encode()
        identity = self._identity(request.headers, located.userinfo)
        matched = b"" if policy.matched == frozenset() else self._matched(request.headers)
        covered = isinstance(said, CoversBody) or (method == b"GET" and not request.body)
        body = b"" if covered else self._body(request)
        # Keyed, since the way to the origin may be opened by a password: a proxy's.
        peer = self.tag(_utf8(request.peer)) if request.peer else b""
        if not (identity or matched or body):
            return Keys(resource, _plain_partition(resource, method, peer, self._shape))
        parts = (_PARTITION, resource, method, identity, matched, body, peer, self._shape)
        return Keys(resource, digest_of(*parts))

    def resource(self, request: Request) -> bytes:
        """The resource key of a request's URL, or of what ``key_fn`` makes of it.

        :raises SettingError: ``key_fn`` gives neither str nor bytes.
        :raises TypeError: it gives something to be awaited.
        """
        if self._policy.key_fn is not None:
            return _custom(self._said(request))
        return _at_host(self._locate(request.url).resource, request)

    def _said(self, request: Request) -> str | bytes:
        """What ``key_fn`` makes of a request."""
        key_fn = self._policy.key_fn
        result = b"" if key_fn is None else key_fn(request)
        if not isinstance(result, str | bytes):
            plain_result(result, "key_fn")
            raise SettingError(f"key_fn takes a request and gives str or bytes, not {type(result).__name__}")
        return result

    def is_plain(self, keys: Keys, method: str) -> bool:
        """Whether nothing in the keys of a request depends on the salt: they are the same in any other store."""
        shared = b"GET" if method in ("GET", "HEAD") else method.encode()
        return keys.partition == _plain_partition(keys.resource, shared, b"", self._shape)

    def tag(self, value: bytes) -> bytes:
        """The keyed hash under which a value of a request is kept: HMAC-SHA256 under the store's salt."""
        return hmac.digest(self._salt, value, hashlib.sha256)

    def vary_tag(self, name: str, headers: Headers) -> bytes:
        """The keyed hash of what a request says in a field that Vary nominates; ``name`` in lower case."""
        said = (name, *headers.lines(name))
        tag = self._tags.get(said)
        if tag is None:
            tag = self.tag(name.encode() + b"\0" + nominated_value(name, headers))
            self._tags.put(said, tag, sum(each.__sizeof__() for each in said) + _TAG_OVERHEAD)
        return tag

    def _identity(self, headers: Headers, userinfo: str | None) -> bytes:
        separates = self._separates
        present = [name for name in headers.names() if separates[name]]
        if userinfo is not None and "authorization" in present and _is_said(userinfo, headers.lines("authorization")):
            # Some clients leave it in the URL, and some take it out.
            userinfo = None
        if not present and userinfo is None:
            return b""
        parts = [part for name in sorted(present) for part in _field(name, headers)]
        return self.tag(digest_of(b"" if userinfo is None else b"@" + _utf8(userinfo), *parts))

    def _matched(self, headers: Headers) -> bytes:
        names = self._policy.matched
        ignored = {name.lower() for name in self._policy.ignored}
        wanted = sorted((set(headers.names()) if names is None else names) - ignored)
        parts = [part for name in wanted for part in (_utf8(name), nominated_value(name, headers))]
        return self.tag(digest_of(b"match", *parts))

    def _body(self, request: Request) -> bytes:
        headers = request.headers
        policy = self._policy
        kind = headers.get("content-type") or ""
        parts = body_parts(request.body or b"", kind, policy.ignored, ordered=policy.parameter_order)
        coding = headers.get("content-encoding") or ""
        # Keyed, since a request's body may hold a password and its plain digest could be guessed.
        return self.tag(digest_of(b"body", _utf8(coding), *parts))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_said(userinfo: str, lines: Sequence[str]) -> bool:
    """Whether an Authorization field says what the userinfo says, and no more (RFC 7617 §2)."""
    user, _, password = userinfo.partition(":")
    # A client writes it in one charset or the other.
    pair = f"{unquote(user)}:{unquote(password)}"
    return len(lines) == 1 and lines[0] in {
        f"Basic {b64encode(pair.encode(charset, 'replace')).decode()}" for charset in ("utf-8", "latin-1")
    }


def _field(name: str, headers: Headers) -> list[bytes]:
    return [_utf8(name), digest_of(*(_utf8(line) for line in headers.lines(name)))]


def _shape(policy: Policy) -> bytes:
    """The key-shaping settings: sessions that separate users differently never meet."""
    matched = ("*",) if policy.matched is None else tuple(sorted(policy.matched))
    lists = (tuple(sorted(policy.separating)), matched, tuple(sorted(policy.ignored)))
    parts = [digest_of(*map(_utf8, names)) for names in lists]
    custom = b"key_fn" if policy.key_fn is not None else b""
    # A shared cache stores less of a response than a private one: the two never meet.
    unordered = () if policy.parameter_order else (b"unordered",)
    return digest_of(_SHAPE, *parts, custom, b"shared" if policy.shared else b"", _utf8(policy.namespace), *unordered)


def with_parameters(url: str, ignored: frozenset[str], *, ordered: bool) -> str:
    """A URL without the parameters that are ignored; those that stay in an order of ours where theirs says nothing."""
    base, mark, query = url.partition("?")
    # Of more than anybody means none is left out: at worst that is a miss.
    if not mark or query.count("&") >= MAX_MEMBERS:
        return url
    kept = [pair for pair in query.split("&") if not ignores(pair, ignored)]
    if not ordered:
        kept.sort()
    return f"{base}?{'&'.join(kept)}" if kept else base
