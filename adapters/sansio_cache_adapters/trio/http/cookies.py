"""Cookies that responses set (RFC 6265bis §5.6 and §5.7), put into a jar of ``http.cookiejar``.

The standard library's own reading lets one host set cookies for another: it knows no public suffixes, takes addresses
for names, lets ``http:`` set what ``https:`` relies on, and deletes before it asks whether it may. So the lines are
read here, and the jar, with whatever policy it has, only keeps what may be set and says what is sent.

``SameSite`` says nothing to a client without pages. Only ``https:`` is secure, ``localhost`` too has to speak it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.request import Request as CookieRequest

from sansio_cache.errors import SettingError

from .suffixes import is_public_suffix
from .url import URL, parse

__all__ = ["cookie_of", "extract", "names_a_domain", "new_jar"]

_MOST_LINES: Final = 150
"""Set-Cookie lines of one response that are read."""
_LONGEST: Final = 4_096
"""Characters of a name and its value together (§5.6)."""
_LONGEST_ATTRIBUTE: Final = 1_024
_MOST_OF_A_HOST: Final = 150
_MOST: Final = 3_000
"""Cookies that a jar holds (RFC 6265 §6.1)."""
_LONGEST_LIFE: Final = 400 * 86_400
"""Seconds (§5.5)."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_AGE: Final = re.compile(r"-?[0-9]+", re.ASCII)


class _Line(NamedTuple):
    """One Set-Cookie line; ``domain`` and ``path`` are None where absent or empty of meaning."""

    name: str
    value: str | None
    domain: str | None
    path: str | None
    secure: bool
    http_only: bool
    expires: int | None


def new_jar() -> CookieJar:
    """A jar that sends a cookie without Domain to the host alone that set it (§5.7)."""
    return CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))


def names_a_domain(lines: Iterable[str]) -> bool:
    """Whether any line may ask for other hosts than its own, so that the list of public suffixes is needed."""
    return any("domain" in line.lower() for line in lines)


def extract(jar: CookieJar, url: str, lines: Sequence[str]) -> dict[str, str]:
    """Put the cookies of a response into the jar; those it may set, by name."""
    target, now = parse(url), int(time.time())
    guarded = [] if _is_secure(target) else [each for each in jar if each.secure]
    request = CookieRequest(url)  # noqa: S310 - nothing is opened
    taken: dict[str, str] = {}
    for text in lines[:_MOST_LINES]:
        line = _read(text, now)
        cookie = None if line is None else _allowed(line, target, guarded)
        if cookie is None:
            continue
        if cookie.expires is not None and cookie.expires <= now:
            taken.pop(cookie.name, None)
            _forget(jar, cookie)
        else:
            taken[cookie.name] = cookie.value or ""
            jar.set_cookie_if_ok(cookie, request)
    if len(lines) > 1 or taken:
        _bound(jar)
    return taken


def cookie_of(url: URL, name: str, value: str) -> Cookie:
    """A cookie that the user gives for the host of a URL, and for no other."""
    secure = name.lower().startswith(("__host-", "__secure-"))
    return _made(url, _Line(name, value, None, "/", secure, http_only=False, expires=None))


# Reading a line (§5.6)


def _read(text: str, now: int) -> _Line | None:
    """The cookie that a line describes, or None where it describes none."""
    if _CONTROL.search(text):
        return None
    pair, *parts = text.split(";", 100)
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if len(name) + len(value) > _LONGEST or not (name or value):
        return None
    attributes: dict[str, str] = {}
    for part in parts:
        attribute, _, said = (each.strip(" \t") for each in part.partition("="))
        if len(said) <= _LONGEST_ATTRIBUTE:
            attributes[attribute.lower()] = said
    path = attributes.get("path", "")
    return _Line(
        # A part that is no pair is a value without a name, which the jar keeps the other way round.
        name if equals and name else (value or name),
        value if equals and name else None,
        attributes.get("domain", "").removeprefix(".").lower() or None,
        path if path.startswith("/") else None,
        "secure" in attributes,
        "httponly" in attributes,
        _expiry(attributes, now),
    )


def _expiry(attributes: dict[str, str], now: int) -> int | None:
    """The POSIX time at which it ends, 0 for a past one; Max-Age counts before Expires."""
    age = attributes.get("max-age", "")
    if _AGE.fullmatch(age):
        seconds = _LONGEST_LIFE if len(age) > 10 and age[0] != "-" else int(age[:10])
        return now + min(seconds, _LONGEST_LIFE) if seconds > 0 else 0
    at = _date(attributes.get("expires", ""))
    return None if at is None else max(0, min(at, now + _LONGEST_LIFE))


_TOKEN: Final = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?", re.ASCII)
_DAY: Final = re.compile(r"([0-9]{1,2})(?:[^0-9].*)?", re.ASCII)
_YEAR: Final = re.compile(r"([0-9]{2,4})(?:[^0-9].*)?", re.ASCII)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _date(text: str) -> int | None:
    """The POSIX time of a cookie-date (§5.1.1), in whatever order its parts stand."""
    clock = day = month = year = None
    for token in _TOKEN.findall(text):
        if clock is None and (found := _CLOCK.fullmatch(token)):
            clock = int(found[1]), int(found[2]), int(found[3])
        elif day is None and (found := _DAY.fullmatch(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.fullmatch(token)):
            year = int(found[1])
    if clock is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = clock
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) if year >= 1601 else None
    except ValueError:
        return None


# Whether it may be set (§5.7)


def _allowed(line: _Line, target: URL, guarded: Sequence[Cookie]) -> Cookie | None:
    """The cookie to be stored, or None where this response may not set it."""
    if line.secure and not _is_secure(target):
        return None
    if not _keeps_its_prefix(line):
        return None
    host = target.origin.host
    domain = line.domain
    if domain is not None and domain == host and (_is_address(host) or is_public_suffix(domain)):
        domain = None
    if domain is not None and (not _within(host, domain) or _is_address(host) or is_public_suffix(domain)):
        return None
    cookie = _made(target, line._replace(domain=domain))
    # "leave secure cookies alone": a cookie from https is not replaced, nor shadowed, by one from http.
    if any(_is_shadowed(each, cookie) for each in guarded):
        return None
    return cookie


def _keeps_its_prefix(line: _Line) -> bool:
    # A cookie without a name must not pass for one with a name (§5.7).
    name = line.name.lower()
    if name.startswith(("__host-", "__secure-")) and line.value is None:
        return False
    if name.startswith("__host-"):
        return line.secure and line.domain is None and line.path == "/"
    return line.secure or not name.startswith("__secure-")


def _is_secure(target: URL) -> bool:
    return target.origin.scheme == "https"


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _is_address(host: str) -> bool:
    # Resolvers read a name that ends in a number as an IPv4 address: "127.1", "0x7f.1".
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rstrip(".").rpartition(".")[2]):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_shadowed(secure: Cookie, new: Cookie) -> bool:
    one, other = secure.domain.lstrip("."), new.domain.lstrip(".")
    near = _within(one, other) or _within(other, one)
    return secure.name == new.name and near and _path_matches(new.path, secure.path)


def _path_matches(path: str, pattern: str) -> bool:
    return path == pattern or (path.startswith(pattern) and (pattern.endswith("/") or path[len(pattern)] == "/"))


# The jar


def _made(target: URL, line: _Line) -> Cookie:
    host = target.origin.host
    # As http.cookiejar names hosts: brackets around IPv6, and ".local" after what has no dot.
    named = f"[{host}]" if ":" in host else host
    own = named if "." in named else named + ".local"
    path = target.target.partition("?")[0]
    return Cookie(
        version=0,
        name=line.name,
        value=line.value,
        port=None,
        port_specified=False,
        domain=own if line.domain is None else "." + line.domain,
        domain_specified=line.domain is not None,
        domain_initial_dot=line.domain is not None,
        path=line.path if line.path is not None else path[: path.rindex("/")] or "/",
        path_specified=line.path is not None,
        secure=line.secure,
        expires=line.expires,
        discard=line.expires is None,
        comment=None,
        comment_url=None,
        rest={"HttpOnly": None} if line.http_only else {},  # type: ignore[dict-item]
    )


def _forget(jar: CookieJar, cookie: Cookie) -> None:
    with suppress(KeyError):  # it was not there
        jar.clear(cookie.domain, cookie.path, cookie.name)


def _bound(jar: CookieJar) -> None:
    """Remove what is too much: of a host with too many, and then of the one with the most."""
    cookies = list(jar)
    counts = Counter(each.domain for each in cookies)
    for each in cookies:
        if counts[each.domain] > _MOST_OF_A_HOST:
            counts[each.domain] -= 1
            _forget(jar, each)
    if len(cookies) > _MOST:
        sites = Counter(_site(each.domain) for each in cookies)
        largest, count = sites.most_common(1)[0]
        for each in [each for each in cookies if _site(each.domain) == largest][: min(count, len(cookies) - _MOST)]:
            _forget(jar, each)


def _site(domain: str) -> str:
    """Roughly who has registered it: hosts by the hundred are one who sets cookies."""
    return ".".join(domain.rsplit(".", 2)[-2:])


def jar_of(cookies: CookieJar | Mapping[str, str], base_url: str | None) -> CookieJar:
    """The jar for ``cookies=``: the user's, or one of names and values for the host of the base URL.

    :raises SettingError: names and values without a base URL, or such as no field can hold.
    """
    if isinstance(cookies, CookieJar):
        return cookies
    jar = new_jar()
    if cookies and base_url is None:
        # Without a host they would go to every origin that a redirect names.
        raise SettingError("cookies need a host to go to: give base_url= too, or a CookieJar")
    for name, value in cookies.items():
        if {";", "\r", "\n"} & {*name, *value}:
            raise SettingError(f"neither name nor value of a cookie can have a ; or a line end: {name!r}")
        jar.set_cookie(cookie_of(parse(base_url or ""), name, value))
    return jar
