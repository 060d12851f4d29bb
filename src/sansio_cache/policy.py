"""The settings of a session, as one frozen value, checked when it is made.

Precedence of freshness, most specific first: the request's ``expire_after``, ``urls_expire_after``, the session's
``expire_after``, the response's own fields, the heuristic.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .credentials import DEFAULT_IDENTITY, FieldNames
from .digests import NOT_INSTALLED, BodyDigest, digest_named
from .errors import SettingError
from .expiry import ExpireAfter, Expiry, parse_expire_after, parse_seconds
from .functions import arguments_of
from .names import ALIASES, advice
from .values import Value

if TYPE_CHECKING:
    from .filtering import FilteredResponse
    from .messages import Kept, Request

__all__ = ["ALIASES", "DEFAULT_IDENTITY", "SETTINGS", "Heuristic", "OnBadSignature", "Policy", "make_policy"]

OnBadSignature = Literal["raise", "miss"]


class Heuristic(Value):
    """Freshness where the response states none (RFC 9111 §4.2.2): a share of the time since Last-Modified.

    :ivar share: of that time; 0.1 is what the RFC calls typical.
    :ivar cap: seconds, at most.
    :ivar fixed: seconds, instead of both, for a response without Last-Modified too.
    """

    share: float = 0.1
    cap: float = 604_800.0
    fixed: float | None = None


class _Meaning:
    """Values that follow from the settings, worked out once."""

    expiry: Expiry | None
    url_rules: tuple[tuple[re.Pattern[str], Expiry | None], ...]
    guess: Heuristic | None
    codes: frozenset[int] | None
    methods: frozenset[str]
    ignored: frozenset[str]
    matched: frozenset[str] | None
    """Names that ``match_headers`` puts in the key; None: every field of the request."""
    filter_arguments: int
    """With how many arguments ``filter_fn`` is called: the request and the response, or the response alone."""
    separating: frozenset[str]
    """Names and patterns of the fields that separate users."""
    separates: FieldNames
    error_grace: float
    stale_grace: float
    longest_grace: float
    """The longer one of those that end."""


class Policy(Value, _Meaning):
    """How a session caches. Every argument is a setting that sessions take as a keyword of the same name.

    :raises SettingError: for a wrong type or value, naming what the setting takes.
    """

    cache_control: bool = True
    expire_after: ExpireAfter = None
    urls_expire_after: Mapping[str | re.Pattern[str], ExpireAfter] = {}
    heuristic: Heuristic | float | timedelta | None = Heuristic()
    allowed_codes: Collection[int] | None = None
    allowed_methods: Collection[str] = ("GET", "HEAD")
    ignored_parameters: Collection[str] = ()
    match_headers: Collection[str] | bool = ()
    parameter_order: bool = True
    identity: Collection[str] = DEFAULT_IDENTITY
    filter_fn: Callable[[Request, Kept], bool] | Callable[[FilteredResponse], bool] | None = None
    key_fn: Callable[[Request], str | bytes] | None = None
    stale_if_error: bool | float | timedelta = False
    stale_while_revalidate: bool | float | timedelta = False
    shared: bool = False
    always_revalidate: bool = False
    keep_set_cookie: bool = False
    read_only: bool = False
    offline: bool = False
    vary_limit: int = 32
    max_body: int | None = None
    namespace: str = ""
    body_digest: BodyDigest = "sha256"
    on_bad_signature: OnBadSignature = "raise"
    wait_for_body: float = 1.0
    wait_for_leader: float = 30.0

    def __post_init__(self) -> None:
        _check_plain(self)

        put = vars(self).__setitem__
        put("filter_arguments", _function(self.filter_fn, "filter_fn", ("request", "response"), ("response",)))
        _function(self.key_fn, "key_fn", ("request",))
        put("expiry", parse_expire_after(self.expire_after))
        put("url_rules", _url_rules(self.urls_expire_after))
        put("guess", _heuristic(self.heuristic))
        put("codes", _codes(self.allowed_codes))
        put("methods", frozenset(name.upper() for name in _names(self.allowed_methods, "allowed_methods")))
        put("ignored", frozenset(_names(self.ignored_parameters, "ignored_parameters")))
        put("matched", _matched(self.match_headers))
        named = _identity(self.identity)
        # A shared cache serves many users; only a cookie may tell them apart.
        put("separating", named | {"cookie"} if self.shared else named)
        put("separates", FieldNames(self.separating))
        put("error_grace", _grace(self.stale_if_error, "stale_if_error"))
        put("stale_grace", _grace(self.stale_while_revalidate, "stale_while_revalidate"))
        put("longest_grace", max([0.0, *filter(math.isfinite, (self.error_grace, self.stale_grace))]))
        for name in ("wait_for_body", "wait_for_leader"):
            put(name, _bounded(getattr(self, name), name))

    def expiry_for(self, request: Request) -> Expiry | None:
        """The user's explicit time for a request, or None where the response decides."""
        given = request.options.expiry
        if given is not None:
            return given
        return self.settings_time(request) if self.url_rules else self.expiry

    def settings_time(self, request: Request) -> Expiry | None:
        """The same without what the request itself says."""
        for pattern, expiry in self.url_rules:
            if pattern.search(request.url):
                return expiry
        return self.expiry


SETTINGS: Final = frozenset({*ALIASES, *Policy.__match_args__})
"""The keywords of a session that are settings of the cache."""


def make_policy(settings: Mapping[str, Any]) -> Policy:
    """A policy from keywords, under their own names or those of :data:`ALIASES`.

    :raises SettingError: for an unknown name, or one given twice under two names.
    """
    renamed: dict[str, Any] = {}
    for name, value in settings.items():
        own = ALIASES.get(name, name)
        if own in renamed:
            raise SettingError(f"{name} and {own if name != own else _alias_of(own)} are one setting: give one of them")
        renamed[own] = value
    known = frozenset(Policy.__match_args__)
    unknown = sorted(renamed.keys() - known)
    if unknown:
        said = advice(unknown[0], known) or f"there are {', '.join(sorted(known))}"
        raise SettingError(f"unknown setting {unknown[0]!r}: {said}")
    return Policy(**renamed)


def _alias_of(own: str) -> str:
    return next(alias for alias, name in ALIASES.items() if name == own)


_BOOLS = (
    *("cache_control", "shared", "always_revalidate", "read_only", "offline"),
    *("parameter_order", "keep_set_cookie"),
)


@lru_cache(maxsize=1)
def _field() -> re.Pattern[str]:
    return re.compile(r"!?[#$%&\'*+\-.^_`|~0-9a-z]+", re.ASCII)


def _check_plain(policy: Policy) -> None:
    for name in _BOOLS:
        if not isinstance(getattr(policy, name), bool):
            raise SettingError(f"{name} takes True or False, not {getattr(policy, name)!r}")
    _check_count(policy.vary_limit, "vary_limit", 1)
    if policy.max_body is not None:
        _check_count(policy.max_body, "max_body", 0)
    if not isinstance(policy.namespace, str):
        raise SettingError(f"namespace takes a str, not {policy.namespace!r}")
    if policy.body_digest not in get_args(BodyDigest):
        raise SettingError(f'body_digest takes "sha256" or "blake3", not {policy.body_digest!r}')
    # Not found out with the first large body, and only where it is wished for: importing it takes a moment.
    if policy.body_digest != "sha256" and digest_named(policy.body_digest) is None:
        raise SettingError(f'body_digest="{policy.body_digest}": {NOT_INSTALLED}')
    if policy.on_bad_signature not in get_args(OnBadSignature):
        raise SettingError(f'on_bad_signature takes "raise" or "miss", not {policy.on_bad_signature!r}')


def _function(value: object, name: str, *shapes: tuple[str, ...]) -> int:
    return 0 if value is None else arguments_of(value, name, *shapes)


def _check_count(value: object, name: str, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{name} takes a whole number from {least}, not {value!r}")


def _names(value: Collection[str], name: str) -> Iterable[str]:
    # A lone string is a collection of letters, and never what was meant.
    if isinstance(value, str | bytes) or not isinstance(value, Collection):
        raise SettingError(f"{name} takes a list of names, not {value!r}")
    for each in value:
        if not isinstance(each, str) or not each:
            raise SettingError(f"{name} takes names, not {each!r}")
    return value


def _identity(value: Collection[str]) -> frozenset[str]:
    if value is DEFAULT_IDENTITY:  # what nearly every session has
        return DEFAULT_IDENTITY
    named = frozenset(name.lower() for name in _names(value, "identity"))
    for name in named:
        if not _field().fullmatch(name):
            raise SettingError(
                f'identity takes names of fields and patterns such as "*-token-*", with a ! before it what is not '
                f"meant; {name!r} is none"
            )
    return named


def _codes(value: Collection[int] | None) -> frozenset[int] | None:
    if value is None:
        return None
    if isinstance(value, str | bytes) or not isinstance(value, Collection):
        raise SettingError(f"allowed_codes takes a list of status codes, not {value!r}")
    for code in value:
        if isinstance(code, bool) or not isinstance(code, int) or not 200 <= code <= 599:
            raise SettingError(f"allowed_codes takes final status codes (200 to 599), not {code!r}")
    return frozenset(value)


def _matched(value: Collection[str] | bool) -> frozenset[str] | None:
    if isinstance(value, bool):
        return None if value else frozenset()
    return frozenset(name.lower() for name in _names(value, "match_headers"))


def _grace(value: bool | float | timedelta, name: str) -> float:
    if isinstance(value, bool):
        return math.inf if value else 0.0
    return parse_seconds(value, name)


def _bounded(value: float | timedelta, name: str) -> float:
    seconds = parse_seconds(value, name)
    if seconds == math.inf:
        raise SettingError(f"{name} takes a time that ends, not {value!r}")
    return seconds


def _heuristic(value: Heuristic | float | timedelta | None) -> Heuristic | None:
    if value is None or value is False:
        return None
    if not isinstance(value, Heuristic):
        return Heuristic(fixed=parse_seconds(value, "heuristic"))
    share = value.share
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise SettingError(f"heuristic's share takes a number from 0 to 1, not {share!r}")
    fixed = None if value.fixed is None else parse_seconds(value.fixed, "heuristic's fixed")
    return Heuristic(share, parse_seconds(value.cap, "heuristic's cap"), fixed)


def _url_rules(
    given: Mapping[str | re.Pattern[str], ExpireAfter],
) -> tuple[tuple[re.Pattern[str], Expiry | None], ...]:
    if not isinstance(given, Mapping):
        raise SettingError(f"urls_expire_after takes a mapping of patterns to times, not {given!r}")
    return tuple(
        (_pattern(key), parse_expire_after(value, f"urls_expire_after[{key!r}]")) for key, value in given.items()
    )


_IN_HOST = "[^/?#@]"


def _pattern(key: str | re.Pattern[str]) -> re.Pattern[str]:
    """A glob as users of other caches write it: scheme left out at will, and what it names stands for all below it."""
    if isinstance(key, re.Pattern) and isinstance(key.pattern, str):
        return key
    if not isinstance(key, str) or not key:
        raise SettingError(f"urls_expire_after takes globs (str) or compiled patterns, not {key!r}")
    scheme, mark, rest = key.partition("://")
    if not mark:
        scheme, rest = "*", key
    start = r"[a-z][a-z0-9+.\-]*" if scheme == "*" else re.escape(scheme)
    # Userinfo ends at the last "@", and a pattern that names it means it.
    userinfo = "" if "@" in rest.partition("/")[0] else "(?>(?:[^/?#]*@)?)"
    if "/" in rest or rest.endswith("*"):
        # "example.com/path" stands for everything below it.
        glob = _url_glob(rest.rstrip("*"))
    else:
        # A host alone does, too, but not for example.com.evil.net.
        glob = _host_glob(rest) + _ANY_PORT + r"(?=[/?#]|\Z)"
    return re.compile(rf"\A{start}://{userinfo}{glob}", re.IGNORECASE | re.DOTALL)


_ANY_PORT = "(?::[0-9]*)?"


def _url_glob(glob: str) -> str:
    """A glob whose stars go over slashes, too, as a pattern of what begins so; without a port it stands for every one.

    What stands between two stars matches as early as it can, once and for all (see :func:`_host_glob`).
    """
    host, slash, path = glob.partition("/")
    has_port = re.search(r":[0-9]+\Z", host) is not None
    parts = [_fixed(part) for part in host.split("*")]
    first, *others = (_fixed(part) for part in path.split("*"))
    if slash:
        parts[-1] += ("" if has_port else _ANY_PORT) + "/" + first
        parts += others
    first, *others = parts
    return first + "".join(f"(?>.*?{part})" for part in others if part)


def _fixed(part: str) -> str:
    """The part of a glob between two stars, as a pattern."""
    if part.startswith("["):
        # An address of IPv6, and no choice of letters.
        address, bracket, rest = part.partition("]")
        return re.escape(address + bracket) + (_fixed(rest) if rest else "")
    return translate(part).removeprefix("(?s:").rpartition(")")[0]


def _host_glob(glob: str) -> str:
    """A glob within a host, as a pattern that takes no longer for many stars than for one.

    What stands between two stars matches as early as it can, once and for all, as in ``fnmatch.translate``: to look for
    it further on finds nothing that would not be found so. Else each star would multiply the time, and strangers choose
    the host.
    """
    first, *others = (
        "".join(_IN_HOST if each == "?" else re.escape(each) for each in part) for part in glob.split("*")
    )
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>{_IN_HOST}*?{part})" for part in middle if part) + f"{_IN_HOST}*{last}"
