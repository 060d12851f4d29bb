"""One rule for credentials: which fields separate users (G10), stay with their origin (G16) and are shown (G26)."""

from __future__ import annotations

import re
import time

import pytest
from credential_fields import CREDENTIALS, NO_CREDENTIALS
from hypothesis import example, given
from hypothesis import strategies as st

from sansio_cache.credentials import (
    DEFAULT_IDENTITY,
    EXCEPTIONS,
    NAMES,
    PROOFS,
    FieldNames,
    is_secret_parameter,
    stays_with_origin,
)

RULE = FieldNames(DEFAULT_IDENTITY)


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials_are_known_by_their_names(name: str) -> None:
    """G10, G16."""
    assert RULE[name.lower()]
    assert stays_with_origin(name)


@pytest.mark.parametrize("name", NO_CREDENTIALS)
def test_other_fields_separate_nobody(name: str) -> None:
    assert not RULE[name.lower()]


@pytest.mark.parametrize(
    "name",
    [
        "Cookie",
        "X-Verification-Code",
        "X-Nonce",
        "X-Private",
        "X-CSRF-Token",
        "x-xsrf-token",
        "RequestVerificationToken",
    ],
)
def test_what_separates_nobody_may_still_be_for_one_origin(name: str) -> None:
    """G16."""
    assert stays_with_origin(name)


@pytest.mark.parametrize("name", ["Accept", "User-Agent", "Idempotency-Key", "Sec-Fetch-Site", "X-Request-ID"])
def test_what_goes_along_to_another_origin(name: str) -> None:
    assert not stays_with_origin(name)


@pytest.mark.parametrize("name", sorted(DEFAULT_IDENTITY))
def test_the_rule_holds_for_what_it_is_made_of(name: str) -> None:
    assert RULE[name]
    assert stays_with_origin(name)


def test_a_name_says_the_same_however_it_is_written() -> None:
    """Of parameters, too, whose words begin with capitals."""
    for name in ("api-key", "api_key", "API.Key", "ApiKey", "apiKey", "user[api_key]", "apikey"):
        assert is_secret_parameter(name)
    for name in ("author", "keyword", "design", "page", "username", "user"):
        assert not is_secret_parameter(name)


@pytest.mark.parametrize(
    ("named", "fields"),
    [
        ({"x-corp"}, {"x-corp": True, "x-token": False, "x-corp-2": False}),
        ({"*-corp-*"}, {"x-corp": True, "x-corp-2": True, "corp": True, "x-corporate": False}),
        ({"x-corp-*"}, {"x-corp-id": True, "x_corp_id": True, "x-corp": True, "my-x-corp-id": False}),
        ({"*-id"}, {"x-id": True, "id": True, "x-id-2": False}),
        ({"x-*-id"}, {"x-corp-id": True, "x-id": False, "x-corp-id-2": False}),
        ({"*"}, {"accept": True, "sec-fetch-site": False}),
        ({"*", "!accept"}, {"accept": False, "accept-language": True}),
        ({"*", "!accept*"}, {"accept": False, "accept-language": False, "te": True}),
        ({*DEFAULT_IDENTITY, "!*-user-*"}, {"x-user": False, "x-token": True}),
        ({*DEFAULT_IDENTITY, "x-csrf-token"}, {"x-csrf-token": True, "x-xsrf-token": False}),
        ({"x-a", "!x-a"}, {"x-a": False}),
        (set(), {"authorization": False}),
    ],
)
def test_users_name_fields_and_patterns(named: set[str], fields: dict[str, bool]) -> None:
    """``identity=``: a name written out goes before the exceptions, a pattern does not."""
    names = FieldNames(named)
    assert {field: names[field] for field in fields} == fields
    assert {field: names[field] for field in fields} == fields, "remembered"


def test_what_is_remembered_is_bounded() -> None:
    """G28."""
    names = FieldNames(DEFAULT_IDENTITY)
    for number in range(3000):
        assert names[f"x-token-{number}"]
    assert names["x" * 1000 + "-token"]
    assert names["x" * 129], "a name that no field has is taken for a credential's"
    assert not FieldNames({"cookie"})["x" * 129], "but where none is named by a pattern"
    assert len(names) <= 1024
    assert max(map(len, names)) <= 128


LONG = ["a" * 65_536, "-" * 65_536, "A" * 65_536, "aA" * 32_768, "key" * 20_000 + "s", "request" * 60_000]


@pytest.mark.parametrize("name", LONG, ids=[name[:7] for name in LONG])
def test_a_name_is_read_in_linear_time(name: str) -> None:
    """G28."""
    begun = time.process_time()
    assert isinstance(RULE[name.lower()] + is_secret_parameter(name) + stays_with_origin(name), int)
    assert time.process_time() - begun < 1.0


@given(st.text(max_size=20))
@example("cRED")
@example("mytOKEN")
def test_a_proof_separates_and_is_not_shown(name: str) -> None:
    """What is in one use of the rule is in the others, but for the exceptions."""
    if FieldNames(PROOFS)[name.lower()]:
        assert RULE[name.lower()]
        assert stays_with_origin(name)
        assert is_secret_parameter(name)
    if RULE[name.lower()]:
        assert stays_with_origin(name)


def test_the_patterns_are_words() -> None:
    """Each is in lower case and once in the list."""
    listed = [*PROOFS, *NAMES]
    assert len(set(listed)) == len(listed)
    assert all(re.fullmatch(r"\*?[a-z0-9-]+(\*[a-z0-9-]+)*\*", each) for each in [*listed, *EXCEPTIONS])


def test_a_request_with_all_of_them_is_one_that_servers_take() -> None:
    """Python's own server takes a hundred fields; a client sends some of its own."""
    assert len(DEFAULT_IDENTITY) <= 90
