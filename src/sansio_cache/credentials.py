"""Which names carry credentials: one rule for fields of requests and for parameters of URLs.

It decides which fields separate users (:data:`DEFAULT_IDENTITY`), which stay behind when a redirect leads to another
origin (:func:`stays_with_origin`), and whose values are not shown to people (:func:`is_secret_field`,
:func:`is_secret_parameter`).

A pattern is compared with a name in small letters whose words are joined, begun and ended by hyphens:
``X-Api-Key`` reads ``-x-api-key-``, so that ``*-key-*`` is the word *key* and ``*key-*`` any word that ends so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Final

__all__ = [
    "DEFAULT_IDENTITY",
    "EXCEPTIONS",
    "FieldNames",
    "is_secret_field",
    "is_secret_parameter",
    "stays_with_origin",
]

# fmt: off
PROOFS: Final = (
    "*token*", "*secret*", "*sess*", "*passw*", "*passcode*", "*passphrase*",
    "*cred*", "*signature*", "*assertion*", "*jwt*", "*oauth*", "*authent*", "*authoriz*", "*authoris*",
    "*authn*", "*authz*", "*auth-*", "*apikey*", "*key-*", "*keyid-*", "*bearer*", "*hmac*", "*dpop*", "*saml*",
    "*ticket*", "*macaroon*", "*wsse*", "*pwd-*", "*pw-*", "*sig-*", "*-access-*", "*-sid-*", "*-sign*",
    "*-pass-*", "*otp-*", "*fa-*", "*-art-api-*", "*-pin-*", "*app*check*", "*-x-cookie-*",
)
"""Names of credentials: they prove who asks."""
NAMES: Final = (
    "*user*", "*-uid-*", "*-login-*", "*-account*", "*-tenant-*", "*-principal-*",
    "*-identity-*", "*-impersonate-*", "*-on-behalf-of-*", "*-email-*", "*-customer-*",
    "*-consumer-*", "*oidc*", "*cert-*", "*client-id-*", "*clientid-*", "*app-id-*", "*appid-*", "*application-id-*",
    "*-org*", "*-company-*", "*-workspace-*", "*-project-*", "*-namespace-*", "*-scope*", "*-permission*", "*-claim*",
    "*-team-*", "*-group*", "*-role*", "*-member-*", "*-subject-*", "*-sudo-*", "*-owner-*",
    "*-license-*", "*-person*", "*-actor-*", "*-act*-as-*", "*-admin*", "*-client-*dn-*", "*msisdn*",
    "*-merchant-*", "*-subscriber-*", "*-employee-*", "*-patient-*", "*-student-*",
)
"""Names of fields that say who asks: no secrets, but the answer to one user is none to another."""
_CSRF: Final = ("*csrf*", "*xsrf*", "*request*verification*")
EXCEPTIONS: Final = ("*-idempoten*", "-sec-*", "*user-agent-*", "*useragent-*", *_CSRF)
"""Fields that one of these patterns would take for a credential, and that separate no users: a new value comes with
each request or page, or it names the program."""
_PASSING: Final = ("*code-*", "*-nonce-*", "*verifier*", "*-appid-*", "*-private-*", *_CSRF)
"""Secrets that identify a user only for a short time."""
# fmt: on

DEFAULT_IDENTITY = frozenset({"authorization", "from", "proxy-authorization", *PROOFS, *NAMES})
"""Request fields whose value separates users, as names in lower case and patterns; :data:`EXCEPTIONS` apply to the
patterns. Userinfo in the URL separates always."""

# Patterns that re keeps compiled: most programs that make a session need none of them yet.
_NO_LETTER: Final = r"[^a-z0-9]+"
_HUMP: Final = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_REMEMBERED: Final = 1024
_LONGEST: Final = 128
"""Characters of a name that is looked through and remembered; a longer one is taken for a credential's."""


def _spelled(name: str) -> str:
    return f"-{re.sub(_NO_LETTER, '-', name.lower())}-".replace("--", "-")


def _search(patterns: Iterable[str]) -> re.Pattern[str]:
    """What finds any of the patterns in a name as :func:`_spelled` gives it; of no pattern what finds nothing."""
    return re.compile("|".join(map(_pattern, sorted(patterns))) or r"(?!)", re.DOTALL)


def _pattern(glob: str) -> str:
    # Searched for, and not matched from the start, so that any name is read in linear time.
    parts = [re.sub(_NO_LETTER, "-", part) for part in glob.lower().split("*")]
    start, end = ("" if glob.startswith("*") else r"\A-?"), ("" if glob.endswith("*") else r"-?\Z")
    return f"(?:{start}{'.*'.join(map(re.escape, parts)).removeprefix('.*').removesuffix('.*')}{end})"


class FieldNames(dict[str, bool]):
    """Whether a field is among those named: ``names[field]``, the field in lower case; answers are remembered.

    :param named: names in lower case, and patterns (with a ``*``); a ``!`` before one excludes it.
    """

    def __init__(self, named: Iterable[str]) -> None:
        super().__init__()
        given = set(named)
        left_out = {each[1:] for each in given if each.startswith("!")}
        wanted = given - {f"!{each}" for each in left_out}
        self._exact = frozenset(each for each in wanted if "*" not in each)
        patterns = wanted - self._exact
        self._patterns = patterns
        self._never = frozenset(each for each in left_out if "*" not in each)
        self._exceptions = (*EXCEPTIONS, *(left_out - self._never))

    # Compiled for the first field that is looked for: that takes a good part of all the time that a program needs to
    # make a session. Two threads may do it twice.

    @cached_property
    def _wanted(self) -> re.Pattern[str]:
        return _search(self._patterns)

    @cached_property
    def _left_out(self) -> re.Pattern[str]:
        return _search(self._exceptions)

    def __missing__(self, field: str) -> bool:
        found = self._find(field)
        if len(self) < _REMEMBERED and len(field) <= _LONGEST:
            self[field] = found
        return found

    def _find(self, field: str) -> bool:
        if field in self._never or field in self._exact:
            return field not in self._never
        if len(field) > _LONGEST:
            return bool(self._patterns)
        spelled = _spelled(field)
        return self._wanted.search(spelled) is not None and self._left_out.search(spelled) is None


_SET_COOKIES: Final = frozenset({"set-cookie", "set-cookie2"})
_BOUND = FieldNames({"cookie", "cookie2", *DEFAULT_IDENTITY})


@lru_cache(maxsize=1)
def _unshown() -> re.Pattern[str]:
    return _search((*PROOFS, *_PASSING))


@lru_cache(maxsize=1)
def _passes() -> re.Pattern[str]:
    return _search(_PASSING)


def stays_with_origin(field: str) -> bool:
    """Whether a field is for the origin that it was given for, and for no other that a redirect names.

    That is what separates users, cookies, and values that name no user but are secret all the same (codes,
    tokens against CSRF).
    """
    return _BOUND[field.lower()] or _passes().search(_spelled(field)) is not None


def is_secret_field(field: str) -> bool:
    """Whether the value of a field, of a request or a response, is not to be shown."""
    return len(field) > _LONGEST or field.lower() in _SET_COOKIES or stays_with_origin(field)


def is_secret_parameter(name: str) -> bool:
    """Whether the value of a URL's parameter of this name is not to be shown."""
    if len(name) > _LONGEST:
        return True
    in_words = re.sub(_HUMP, "-", name)
    # In capitals as they come (``cRED``) the word is none that the humps show.
    either = (in_words,) if in_words == name else (in_words, name)
    return any(_unshown().search(_spelled(each)) for each in either)
