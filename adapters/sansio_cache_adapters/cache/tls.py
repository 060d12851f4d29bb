"""The peer of TLS: all that decides whom a client believes to talk to, described alike for every client.

The trusted authorities count, and not the file, folder or context that names them: clients and runs that trust the same
authorities share entries. The authorities that a client or a system trusts by default (certifi's, the system's) count
as one. Where authorities are named, only those count, and not those that requests (certifi's) or OpenSSL (its own
folder, beside ``SSL_CERT_FILE``) add to them.

A peer that cannot be seen shares nothing until ``peer=`` names it: a context that would show a client certificate, and
one whose authorities cannot be listed (those of a folder, pinned certificates that are no authority's, revocation
lists).
"""

from __future__ import annotations

import binascii
import hashlib
import os
import re
import secrets
import ssl
import stat
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from sansio_cache_adapters.stores.off_loop import off_loop

from .client_certificates import PlainContext, shows_certificate
from .environment import watching
from .peers import part

__all__ = [
    "Authorities",
    "alone",
    "authorities_of_path",
    "authorities_of_pem",
    "content_of_path",
    "of_context",
    "seen",
    "state_of_path",
    "system_authorities",
    "trusting",
]

Authorities = frozenset[bytes]
"""The SHA-256s of certificates that are trusted."""
_NONE: Final[Authorities] = frozenset()
T = TypeVar("T")

_BLOCK = re.compile(rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE|X509 CRL)-----\s*([^-]*)-----END \1-----")
_PLAIN: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})
_HASHED_NAME = re.compile(r"[0-9a-fA-F]{8}\.[0-9]+")
_REVOCATION: Final = ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN

# Files and folders


def authorities_of_pem(data: bytes) -> Authorities:
    """The certificates in a PEM file; what else counts for trust (revocation lists) is told apart from them."""
    return frozenset(map(_digest, _BLOCK.findall(data)))


def _digest(block: tuple[bytes, bytes]) -> bytes:
    label, text = block
    try:
        content = binascii.a2b_base64(text)
    except ValueError:
        content = text
    return hashlib.sha256(content if label in _PLAIN else label + b"\0" + content).digest()


State = tuple[tuple[str, int, int, int], ...]
_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which a file's time would show another change: file systems count it in coarse ticks."""
_REMEMBERED: Final = 64


def state_of_path(path: str) -> State:
    """A value that changes with the file or folder; cheap for a file."""
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            return (_stamp("", found),)
        with os.scandir(path) as entries:
            return tuple(sorted(_stamp(each.name, each.stat()) for each in entries if _is_hashed(each.name)))
    except (OSError, ValueError):
        return ()


def _stamp(name: str, found: os.stat_result) -> tuple[str, int, int, int]:
    return name, found.st_mtime_ns, found.st_size, found.st_ino


def _is_hashed(name: str) -> bool:
    # OpenSSL reads no other files of a folder.
    return _HASHED_NAME.fullmatch(name) is not None


class _Read(Generic[T]):
    """The content that was read from paths, as long as the files do not change."""

    def __init__(self, read: Callable[[str], T]) -> None:
        self._read = read
        self._known: dict[str, tuple[State, T]] = {}

    def __call__(self, path: str) -> T:
        return off_loop(lambda: self._current(path))

    def _current(self, path: str) -> T:
        state = state_of_path(path)
        known = self._known.get(path)
        if known is not None and known[0] == state:
            return known[1]
        found = self._read(path)
        if state and time.time_ns() - max(changed for _, changed, _, _ in state) > _SETTLED:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[path] = state, found
        return found


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError):
        # The client will say so; until then a path that leads nowhere is like no other.
        return b"unreadable: " + os.fsencode(path)


def _authorities(path: str) -> Authorities:
    if not os.path.isdir(path):
        data = _content(path)
        return authorities_of_pem(data) or frozenset({hashlib.sha256(data).digest()})
    names = sorted(filter(_is_hashed, os.listdir(path)))
    return _NONE.union(*(authorities_of_pem(_content(os.path.join(path, name))) for name in names))


authorities_of_path: Final = _Read(_authorities)
"""The authorities that a file, or a folder with names by OpenSSL's hashes, holds. Looks whether it was changed."""
content_of_path: Final = _Read(lambda path: hashlib.sha256(_content(path)).hexdigest())
"""Gives a digest of a file's content. Looks whether the file was changed."""

# The authorities that are trusted by default


_said: Final = watching("SSL_CERT_FILE", "SSL_CERT_DIR")


def system_authorities() -> Authorities | None:
    """The authorities that OpenSSL trusts by default; None where the environment names no other file or folder."""
    if _said() == (None, None):
        return None
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return None
    named = authorities_of_path(folder) if folder else _NONE
    return named | authorities_of_path(file or _compiled_file())


def _named_by_environment() -> bool:
    return bool(os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"))


_NAMED_AT_START: Final = _named_by_environment()
"""Clients make their default contexts when they are imported, as this module is."""


def _compiled_file() -> str:
    return ssl.get_default_verify_paths().openssl_cafile


def _is_public(authorities: Authorities) -> bool:
    """Whether a client or a system trusts exactly these of itself."""
    return any(authorities == known() for known in (_of_openssl, _of_certifi, _of_store))


def _of_openssl() -> Authorities | None:
    return authorities_of_path(_compiled_file()) if os.path.exists(_compiled_file()) else None


def _of_certifi() -> Authorities | None:
    try:
        import certifi
    except ImportError:  # pragma: no cover - requests brings it
        return None
    return authorities_of_path(certifi.where())


@cache
def _of_store() -> Authorities | None:
    """The certificates in a store of Windows."""
    if sys.platform != "win32":
        return None
    context = PlainContext(ssl.PROTOCOL_TLS_CLIENT)  # pragma: no cover - Windows only
    context.load_default_certs()  # pragma: no cover
    return _visible(context)[0]  # pragma: no cover


def trusting(*named: Authorities | None) -> str:
    """The part of a description that says which authorities are trusted; ``""`` for those trusted by default.

    :param named: all that the user named; None for the default.
    """
    together = [each for each in named if each is not None]
    if not together:
        return ""
    authorities = _NONE.union(*together)
    if off_loop(lambda: _is_public(authorities)):
        return ""
    return part("ca", hashlib.sha256(b"".join(sorted(authorities))).hexdigest())


# Contexts


class SeenContext(NamedTuple):
    """A description of a context.

    :ivar authorities: those it trusts; None for those that the system trusts of itself, and where none shows.
    :ivar flags: how it verifies, where that is not the default.
    :ivar bare: it holds no certificate of an authority at all.
    :ivar unseen: whom it trusts does not show.
    :ivar certificate: it would show a client certificate, or that cannot be told.
    """

    authorities: Authorities | None
    flags: tuple[str, ...]
    bare: bool = False
    unseen: bool = False
    certificate: bool = False


_known: Final[WeakKeyDictionary[ssl.SSLContext, tuple[object, SeenContext]]] = WeakKeyDictionary()
"""Shared by threads without a lock: at worst two look at one context."""
_tokens: Final[WeakKeyDictionary[object, str]] = WeakKeyDictionary()
"""Shared by threads without a lock: the first token of a thing is set in one step, and stays."""


def alone(thing: object) -> str:
    """The part of a description that nothing else has, for as long as a thing lives."""
    try:
        token = _tokens.get(thing)
        if token is None:
            token = _tokens.setdefault(thing, secrets.token_hex(16))
    except TypeError:  # nothing can be remembered of it
        token = secrets.token_hex(16)
    return part("object", token)


def seen(context: ssl.SSLContext, *, first: bool = False, plain: bool = False) -> SeenContext:
    """A description of a context, made anew when its settings or the number of its certificates change.

    A client certificate that is loaded into a context in use is not noticed: give another context.

    :param first: keep to what was seen first, for a client that adds to its users' contexts as it connects.
    :param plain: it is the client's own and holds no client certificate.
    """
    known = _known.get(context)
    if known is not None and first:
        return known[1]
    state = _state(context)
    if known is None or known[0] != state:
        known = _known[context] = state, off_loop(lambda: _look(context, plain=plain))
    return known[1]


def _inner(context: ssl.SSLContext) -> Any:
    """The context that truststore's one hides, which has what was added to the system's authorities."""
    inner = getattr(context, "_ctx", None)
    return inner if isinstance(inner, PlainContext) else None


def _state(context: ssl.SSLContext) -> object:
    flags = context.verify_mode, context.check_hostname, context.verify_flags
    try:
        return (*flags, *context.cert_store_stats().values())
    except NotImplementedError:
        # A look-alike that leaves verifying to the system (truststore).
        return flags


def _look(context: ssl.SSLContext, *, plain: bool) -> SeenContext:
    flags = tuple(_flags(context))
    if plain and not (_NAMED_AT_START or _named_by_environment()):
        return SeenContext(None, flags)
    inner = _inner(context)
    asked = context if inner is None else inner
    shown, bare = _visible(asked)
    certificate = not plain and shows_certificate(asked) is not False
    if inner is not None:
        return SeenContext(_with_system(shown), flags, certificate=certificate)
    return SeenContext(_with_folder(shown), flags, bare, shown is None, certificate)


def _flags(context: ssl.SSLContext) -> Iterable[str]:
    if context.verify_mode is not ssl.CERT_REQUIRED:
        yield "unverified" if context.verify_mode is ssl.CERT_NONE else "optional"
    elif not context.check_hostname:
        yield "any-name"
    revocation = context.verify_flags & _REVOCATION
    if revocation:
        yield part("revocation", int(revocation))


def _visible(context: Any) -> tuple[Authorities | None, bool]:
    """The certificates that a context trusts, None if there are such as do not show; and whether it holds nothing."""
    try:
        stats: dict[str, int] = context.cert_store_stats()
        shown: list[bytes] = context.get_ca_certs(binary_form=True)
    except NotImplementedError:
        return None, False
    if not shown or stats["crl"] or stats["x509"] != len(shown):
        return None, not any(stats.values())
    return frozenset(hashlib.sha256(each).digest() for each in shown), False


def _with_system(added: Authorities | None) -> Authorities | None:
    system = system_authorities()
    if added is None:
        return system
    return added | (authorities_of_path(_compiled_file()) if system is None else system)


def _with_folder(authorities: Authorities | None) -> Authorities | None:
    """What shows the default is taken to read the folder of the environment, too, whose files show only when used."""
    folder = os.environ.get("SSL_CERT_DIR")
    if not folder or authorities is None:
        return authorities
    default = authorities_of_path(os.environ.get("SSL_CERT_FILE") or _compiled_file())
    return authorities | authorities_of_path(folder) if authorities == default else authorities


def of_context(context: ssl.SSLContext, *, named: bool, plain: bool = False) -> list[str]:
    """The parts of a description that a context makes.

    :param named: the user has named the peer, so that what does not show need not stand alone.
    :param plain: see :func:`seen`.
    """
    found = seen(context, plain=plain)
    parts = [*found.flags]
    if not named and (found.certificate or (found.unseen and "unverified" not in found.flags)):
        parts.append(alone(context))
    if "unverified" not in found.flags:
        parts.append(trusting(found.authorities))
    return parts
