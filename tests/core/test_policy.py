"""The settings: what each takes, and who wins."""

from __future__ import annotations

import math
import pickle
import re
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from core_rows import ask, rows
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.errors import SettingError
from sansio_cache.expiry import DO_NOT_CACHE, Expiry, Resident
from sansio_cache.messages import Options
from sansio_cache.policy import ALIASES, DEFAULT_IDENTITY, Heuristic, Policy, make_policy

URL = "https://api.example.com/v1/items?page=2"


def test_the_defaults_are_those_of_a_private_cache_that_obeys() -> None:
    policy = Policy()
    assert policy.cache_control
    assert (policy.expiry, policy.url_rules, policy.codes) == (None, (), None)
    assert policy.methods == {"GET", "HEAD"}
    assert policy.guess == Heuristic(share=0.1, cap=604_800.0, fixed=None)
    assert policy.separating == DEFAULT_IDENTITY
    assert (policy.matched, policy.ignored) == (frozenset(), frozenset())
    assert (policy.error_grace, policy.stale_grace) == (0.0, 0.0)


@rows(
    "settings name expected",
    ("times are seconds", "settings", {"stale_if_error": timedelta(minutes=1)}, "error_grace", 60.0),
    ("True is any time", "settings", {"stale_while_revalidate": True}, "stale_grace", math.inf),
    ("False is none", "settings", {"stale_if_error": False}, "error_grace", 0.0),
    ("methods are in upper case", "settings", {"allowed_methods": ["get", "Post"]}, "methods", {"GET", "POST"}),
    ("codes", "settings", {"allowed_codes": [200, 404]}, "codes", {200, 404}),
    ("names of parameters", "settings", {"ignored_parameters": ["Key"]}, "ignored", {"Key"}),
    ("names of fields are in lower case", "settings", {"match_headers": ["Accept"]}, "matched", {"accept"}),
    ("True matches all fields", "settings", {"match_headers": True}, "matched", None),
    ("False matches none", "settings", {"match_headers": False}, "matched", frozenset()),
    ("identity is what is named", "settings", {"identity": ["X-User"]}, "separating", {"x-user"}),
    ("nobody is told apart by nothing", "settings", {"identity": []}, "separating", frozenset()),
    ("patterns are taken", "G10", {"identity": ["*-Corp-*", "!X"]}, "separating", {"*-corp-*", "!x"}),
    ("a shared cache tells cookies apart", "G10", {"shared": True, "identity": []}, "separating", {"cookie"}),
    ("no heuristic", "4.2.2", {"heuristic": None}, "guess", None),
    ("no heuristic, said otherwise", "4.2.2", {"heuristic": False}, "guess", None),
    ("a fixed time", "4.2.2", {"heuristic": timedelta(minutes=1)}, "guess", Heuristic(fixed=60.0)),
    (
        "times within a heuristic are seconds",
        "4.2.2",
        {"heuristic": Heuristic(0.5, timedelta(days=1), timedelta(hours=1))},  # type: ignore[arg-type]
        "guess",
        Heuristic(0.5, 86_400.0, 3600.0),
    ),
    ("waits are seconds", "settings", {"wait_for_leader": timedelta(seconds=2)}, "wait_for_leader", 2.0),
)
def test_a_setting_means(settings: dict[str, Any], name: str, expected: object) -> None:
    assert getattr(Policy(**settings), name) == expected


@rows(
    "name value",
    ("a truth value as a number", "settings", "cache_control", 1),
    ("a truth value as text", "settings", "shared", "yes"),
    ("a function as text", "settings", "filter_fn", "f"),
    ("a key function as a number", "settings", "key_fn", 5),
    ("a count of 0", "settings", "vary_limit", 0),
    ("a count as a truth value", "settings", "vary_limit", True),
    ("a count as a float", "settings", "max_body", 1.0),
    ("a negative count", "settings", "max_body", -1),
    ("bytes for text", "settings", "namespace", b"x"),
    ("another word", "settings", "on_bad_signature", "ignore"),
    ("a lone string for a list", "settings", "allowed_methods", "GET"),
    ("a number for a list", "settings", "identity", 5),
    ("what is no field", "settings", "identity", ["X Token"]),
    ("nothing left out", "settings", "identity", ["!"]),
    ("a number in a list of names", "settings", "ignored_parameters", [5]),
    ("an empty name", "settings", "match_headers", [""]),
    ("None for match_headers", "settings", "match_headers", None),
    ("codes as text", "settings", "allowed_codes", "200"),
    ("codes as a number", "settings", "allowed_codes", 200),
    ("a code as text", "settings", "allowed_codes", ["200"]),
    ("a code as a truth value", "settings", "allowed_codes", [True]),
    ("a code that is not final", "settings", "allowed_codes", [100]),
    ("a negative time", "settings", "stale_if_error", -1),
    ("a time as text", "settings", "stale_while_revalidate", "60"),
    ("an endless wait", "settings", "wait_for_body", math.inf),
    ("a wait as text", "settings", "wait_for_leader", "1"),
    ("a heuristic as text", "settings", "heuristic", "10%"),
    ("a share above 1", "settings", "heuristic", Heuristic(share=1.5)),
    ("a share as a truth value", "settings", "heuristic", Heuristic(share=True)),
    ("a share that is no number", "settings", "heuristic", Heuristic(share=math.nan)),
    ("a negative cap", "settings", "heuristic", Heuristic(cap=-1)),
    ("a negative fixed time", "settings", "heuristic", Heuristic(fixed=-1)),
    ("a wrong time", "settings", "expire_after", "soon"),
    ("a list of patterns", "settings", "urls_expire_after", [("*", 60)]),
    ("a number as pattern", "settings", "urls_expire_after", {5: 60}),
    ("an empty pattern", "settings", "urls_expire_after", {"": 60}),
    ("a pattern of bytes", "settings", "urls_expire_after", {re.compile(b"x"): 60}),
    ("a wrong time for a pattern", "settings", "urls_expire_after", {"*": "soon"}),
)
def test_a_wrong_value_is_an_error_that_names_the_setting(name: str, value: object) -> None:
    with pytest.raises(SettingError, match=name):
        Policy(**{name: value})  # type: ignore[arg-type]


@rows(
    "glob url expected",
    ("a host", "urls_expire_after", "api.example.com", URL, True),
    ("a host without its path", "urls_expire_after", "api.example.com", "http://api.example.com", True),
    ("a host with any port", "urls_expire_after", "api.example.com", "http://api.example.com:81/x", True),
    ("a host with userinfo", "urls_expire_after", "api.example.com", "http://u:p@api.example.com/", True),
    ("case does not matter", "urls_expire_after", "API.example.COM", URL, True),
    ("not a longer host", "urls_expire_after", "api.example.com", "https://api.example.com.evil.net/", False),
    ("not a subdomain", "urls_expire_after", "example.com", URL, False),
    ("not the userinfo", "urls_expire_after", "api.example.com", "https://api.example.com@evil.net/", False),
    ("subdomains by a star", "urls_expire_after", "*.example.com", URL, True),
    ("a star of the host ends with it", "urls_expire_after", "*.example.com", "http://evil.net/.example.com", False),
    ("a star in the middle", "urls_expire_after", "api.*.com", URL, True),
    ("stars on all sides", "urls_expire_after", "*p*.*x*le.com", URL, True),
    ("stars that take turns", "urls_expire_after", "a*p*e*m*e.com", URL, True),
    ("stars one after the other", "urls_expire_after", "api.**.com", URL, True),
    ("a star for nothing", "urls_expire_after", "api.*example.com", URL, True),
    ("what lies between two stars", "urls_expire_after", "*.evil.*.com", URL, False),
    ("in their order", "urls_expire_after", "*.com*api*.com", URL, False),
    ("a mark after a star", "urls_expire_after", "*?.example.*om", URL, True),
    ("a star before a port", "urls_expire_after", "local*:8080", "http://localhost:8080/x", True),
    ("userinfo by name", "urls_expire_after", "u:*@api.example.com/*", "http://u:p@api.example.com/", True),
    ("a host after userinfo with two ats", "urls_expire_after", "api.example.com", "http://u@v@api.example.com/", True),
    ("a question mark is one character", "urls_expire_after", "ap?.example.com", URL, True),
    ("a host with a port", "urls_expire_after", "localhost:8080", "http://localhost:8080/x", True),
    ("not another port", "urls_expire_after", "localhost:8080", "http://localhost:81/x", False),
    ("an IPv6 literal", "urls_expire_after", "[::1]", "http://[::1]:80/x", True),
    ("a path stands for all below it", "urls_expire_after", "api.example.com/v1", URL, True),
    ("a path on any port", "urls_expire_after", "api.example.com/v1", "http://api.example.com:81/v1/x", True),
    ("a path on a port", "urls_expire_after", "api.example.com:81/v1", "http://api.example.com:81/v1/x", True),
    ("a path not on another port", "urls_expire_after", "api.example.com:81/v1", "http://api.example.com:82/v1", False),
    ("a path on no port", "urls_expire_after", "api.example.com:81/v1", "http://api.example.com/v1", False),
    ("a port is no part of a host", "urls_expire_after", "api.example.com/v1", "http://api.example.com.evil/v1", False),
    ("nor a path", "urls_expire_after", "api.example.com/v1", "http://api.example.com:81x/v1", False),
    ("subdomains and a path on any port", "urls_expire_after", "*.example.com/v1", "http://a.example.com:81/v1", True),
    ("hosts alike twice", "urls_expire_after", "*.example.com/v1", "http://a.example.com.example.com/v1", True),
    ("a star over slashes", "urls_expire_after", "*/items*", URL, True),
    ("any host, and a port", "urls_expire_after", "*/v1/", "http://api.example.com:81/v1/items", True),
    ("a choice of letters", "urls_expire_after", "api.example.com/v[12]/", URL, True),
    ("not of these letters", "urls_expire_after", "api.example.com/v[23]/", URL, False),
    ("an IPv6 literal and a path", "urls_expire_after", "[::1]/x", "http://[::1]:80/x", True),
    ("not a letter of an IPv6 literal", "urls_expire_after", "[::1]/x", "http://1/x", False),
    ("a star in the path", "urls_expire_after", "api.example.com/*/items", URL, True),
    ("a star at the end", "urls_expire_after", "api.example.com/v*", URL, True),
    ("two stars at the end", "urls_expire_after", "api.example.com/**", URL, True),
    ("another path", "urls_expire_after", "api.example.com/v2", URL, False),
    ("a scheme", "urls_expire_after", "https://api.example.com", URL, True),
    ("another scheme", "urls_expire_after", "http://api.example.com", URL, False),
    ("any scheme", "urls_expire_after", "*://api.example.com/v1", URL, True),
    ("everything", "urls_expire_after", "*", URL, True),
    ("a regular expression is searched", "urls_expire_after", re.compile(r"page=\d"), URL, True),
    ("and may not be found", "urls_expire_after", re.compile(r"^page"), URL, False),
)
def test_a_glob_matches_as_users_of_other_caches_expect(glob: str | re.Pattern[str], url: str, expected: bool) -> None:
    policy = Policy(urls_expire_after={glob: 60})
    assert (policy.expiry_for(ask(url=url)) == Resident(60.0)) is expected


@rows(
    "settings given expected",
    ("the response decides", "precedence", {}, None, None),
    ("the session's time", "precedence", {"expire_after": 1}, None, Resident(1.0)),
    ("a pattern's before it", "precedence", {"expire_after": 1, "urls_expire_after": {"*": 2}}, None, Resident(2.0)),
    (
        "the first pattern that matches",
        "precedence",
        {"urls_expire_after": {"x.org": 1, "*": 2, "*/": 3}},
        None,
        Resident(2.0),
    ),
    (
        "a pattern may leave it to the response",
        "precedence",
        {"expire_after": 1, "urls_expire_after": {"*": None}},
        None,
        None,
    ),
    ("a pattern may forbid", "precedence", {"urls_expire_after": {"*": DO_NOT_CACHE}}, None, DO_NOT_CACHE),
    ("the request's before all", "precedence", {"urls_expire_after": {"*": 2}}, Resident(3.0), Resident(3.0)),
)
def test_the_most_specific_time_wins(settings: dict[str, Any], given: Expiry | None, expected: Expiry | None) -> None:
    assert Policy(**settings).expiry_for(ask(url=URL, options=Options(expiry=given))) == expected


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_other_caches_names_are_taken(alias: str, name: str) -> None:
    value: Any = {"allowed_codes": [200], "stale_if_error": True}.get(name, ["GET"])
    assert getattr(make_policy({alias: value}), name) == value
    with pytest.raises(SettingError, match="one setting"):
        make_policy({alias: value, name: value})
    with pytest.raises(SettingError, match="one setting"):
        make_policy({name: value, alias: value})


def test_an_unknown_setting_is_an_error_that_says_what_there_is() -> None:
    """The nearest; where nothing is near, all of them."""
    with pytest.raises(SettingError, match=r"'expires_after': did you mean expire_after=\?"):
        make_policy({"expires_after": 5})
    with pytest.raises(SettingError, match=r"'qqqqq': there are .*expire_after"):
        make_policy({"qqqqq": 5})


def test_a_policy_travels_to_other_processes() -> None:
    policy = Policy(urls_expire_after={"example.com": 60, re.compile("x"): DO_NOT_CACHE}, stale_if_error=True)
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert again.url_rules == policy.url_rules


@given(st.text("ab.*?", min_size=1, max_size=8), st.text("ab.", min_size=1, max_size=8))
def test_a_glob_of_a_host_matches_what_a_shell_would_match(glob: str, host: str) -> None:
    """However many stars it has."""
    policy = Policy(urls_expire_after={f"{glob}x": 60})
    assert (policy.expiry_for(ask(url=f"http://{host}x/")) is not None) is fnmatchcase(f"{host}x", f"{glob}x")
