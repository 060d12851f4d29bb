"""The two keys: what they are made of (golden vectors), what separates entries (G9, G10), what is left out."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from core_rows import META, ask, rows
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import field_names, field_values

from sansio_cache.errors import SettingError
from sansio_cache.keys import CoversBody, KeyMaker, Keys, digest_of
from sansio_cache.messages import Headers, Request
from sansio_cache.policy import Policy
from sansio_cache.urls import normalise


def keys_of(request: Request, **settings: Any) -> Keys:
    return KeyMaker(Policy(**settings), META.salt).keys(request)


FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
UNORDERED = {"parameter_order": False}
WITHOUT_K = {"ignored_parameters": ["k"]}


# Golden vectors: a change of these makes every stored response of every user a miss.


@rows(
    "request_ settings resource partition",
    (
        "a plain GET",
        "golden",
        ask("Accept: */*"),
        {},
        "b84d9baef28997032415c3224f4a512b46d9d8b6c1b45d7ce8de002163e0bfe1",
        "d92466ea9ee77eee8bcf0d1c54a691470b0f90ad356d63405027a32fdfa44c1f",
    ),
    (
        "HEAD shares it",
        "golden",
        ask(method="HEAD"),
        {},
        "b84d9baef28997032415c3224f4a512b46d9d8b6c1b45d7ce8de002163e0bfe1",
        "d92466ea9ee77eee8bcf0d1c54a691470b0f90ad356d63405027a32fdfa44c1f",
    ),
    (
        "credentials",
        "golden",
        ask("Authorization: Basic dTpw", url="https://u:p@example.org/a"),
        {},
        "b84d9baef28997032415c3224f4a512b46d9d8b6c1b45d7ce8de002163e0bfe1",
        "055446412170d6e9515ba280fbec789b55073db51a58325e6de7757950a2d3d8",
    ),
    (
        "everything else",
        "golden",
        ask(JSON, "Accept: text/html", method="POST", body=b'{"a": 1}', peer="verify=False"),
        {"allowed_methods": ["POST"], "match_headers": ["Accept"], "namespace": "n", "shared": True},
        "b84d9baef28997032415c3224f4a512b46d9d8b6c1b45d7ce8de002163e0bfe1",
        "1db90d557c1038900a69ab359a1d251943ef459d2ecd793dcbee3f314175b63c",
    ),
    (
        "a key of one's own",
        "golden",
        ask(),
        {"key_fn": lambda request: request.method},
        "7025b6ca5097f20428febec63e98aea3551a216f31d9035a87ce5978f7abc9ff",
        "c4662e607c7ef8d1629e675877302cd2d8a129df175c5f54669188d45b760871",
    ),
)
def test_the_keys_are_these(request_: Request, settings: dict[str, Any], resource: str, partition: str) -> None:
    keys = keys_of(request_, **settings)
    assert (keys.resource.hex(), keys.partition.hex()) == (resource, partition)


def test_a_digest_is_sha256_over_length_prefixed_parts() -> None:
    prefixed = (2).to_bytes(8, "big") + b"ab" + (0).to_bytes(8, "big") + b"" + (1).to_bytes(8, "big") + b"c"
    assert digest_of(b"ab", b"", b"c") == hashlib.sha256(prefixed).digest()


def test_a_tag_is_an_hmac_under_the_salt_of_the_store() -> None:
    """G26: of what a request says only this is kept."""
    assert KeyMaker(Policy(), META.salt).tag(b"x") == hmac.digest(META.salt, b"x", "sha256")


@given(st.lists(st.binary(max_size=9), max_size=4), st.lists(st.binary(max_size=9), max_size=4))
def test_no_two_lists_of_parts_meet(one: list[bytes], other: list[bytes]) -> None:
    assert (digest_of(*one) == digest_of(*other)) is (one == other)


# What separates entries


@rows(
    "one other settings",
    ("GET and HEAD", "9110-9.3.2", ask(), ask(method="HEAD"), {}),
    ("fields that no setting names", "G9", ask("Accept: a"), ask("Accept: b"), {}),
    ("cookies, in a private cache", "G10", ask("Cookie: a"), ask("Cookie: b"), {}),
    ("white space between matched values", "G9", ask("A: 1,2"), ask("A: 1, 2"), {"match_headers": ["A"]}),
    (
        "parameters in another order",
        "parameter_order",
        ask(url="http://x/?b=2&a"),
        ask(url="http://x/?a&b=2"),
        UNORDERED,
    ),
    (
        "fields of a form in another order",
        "parameter_order",
        ask(FORM, method="POST", body=b"b=2&a=1"),
        ask(FORM, method="POST", body=b"a=1&b=2"),
        UNORDERED,
    ),
    (
        "a parameter left out",
        "ignored_parameters",
        ask(url="http://x/?k=1&b"),
        ask(url="http://x/?b"),
        WITHOUT_K,
    ),
    (
        "the only parameter left out",
        "ignored_parameters",
        ask(url="http://x/?k=1"),
        ask(url="http://x/"),
        WITHOUT_K,
    ),
    (
        "an escaped one",
        "ignored_parameters",
        ask(url="http://x/?%6b%5B=1&b"),
        ask(url="http://x/?b"),
        {"ignored_parameters": ["k["]},
    ),
    (
        "a field of the form",
        "ignored_parameters",
        ask(FORM, method="POST", body=b"k=1&b"),
        ask(FORM, method="POST", body=b"b"),
        WITHOUT_K,
    ),
    (
        "a member of the JSON",
        "ignored_parameters",
        ask(JSON, method="POST", body=b'{"k": 1, "b": 2}'),
        ask(JSON, method="POST", body=b'{"k": 5, "b": 2}'),
        WITHOUT_K,
    ),
    (
        "JSON of another kind",
        "ignored_parameters",
        ask("Content-Type: application/ld+json; x", method="POST", body=b'{"k": 1, "b": 2}'),
        ask("Content-Type: application/ld+json; x", method="POST", body=b'{"k": 5, "b": 2}'),
        WITHOUT_K,
    ),
    (
        "a field, whatever its case",
        "ignored_parameters",
        ask("Accept: a", "X-Trace: 1"),
        ask("Accept: a", "X-Trace: 2"),
        {"match_headers": True, "ignored_parameters": ["X-Trace"]},
    ),
    ("Host spelled otherwise", "G9", ask("Host: EXAMPLE.org:443"), ask(), {}),
    ("a key that names no user", "G10", ask("Idempotency-Key: a"), ask("Idempotency-Key: b"), {}),
    (
        "userinfo, where Authorization says it too",
        "G10",
        ask("Authorization: Basic dTpwIDE=", url="http://u:p%201@x/"),
        ask("Authorization: Basic dTpwIDE=", url="http://x/"),
        {},
    ),
    ("what key_fn does not see", "key_fn", ask(url="http://x/1"), ask(url="http://y/2"), {"key_fn": lambda _: b"same"}),
    (
        "bodies that key_fn covers",
        "key_fn",
        ask(method="POST", body=b"a"),
        ask(method="POST", body=b"b"),
        {"key_fn": lambda _: CoversBody("same")},
    ),
)
def test_requests_share_an_entry_in_spite_of(one: Request, other: Request, settings: dict[str, Any]) -> None:
    assert keys_of(one, **settings) == keys_of(other, **settings)


@rows(
    "one other settings",
    ("the URL", "G9", ask(url="http://x/1"), ask(url="http://x/2"), {}),
    ("the method", "G14", ask(method="POST"), ask(), {}),
    ("one unsafe method and another", "G14", ask(method="POST"), ask(method="PUT"), {}),
    ("the body", "G14", ask(method="POST", body=b"a"), ask(method="POST", body=b"b"), {}),
    ("the body of a GET", "G9", ask(body=b"a"), ask(), {}),
    ("the body's type", "G14", ask(JSON, method="POST", body=b"a"), ask(FORM, method="POST", body=b"a"), {}),
    ("Authorization", "G10", ask("Authorization: a"), ask("Authorization: b"), {}),
    ("Authorization and none", "G10", ask("Authorization: a"), ask(), {}),
    ("Authorization empty and none", "G10", ask("Authorization: "), ask(), {}),
    ("the name of the credential", "G10", ask("Authorization: a"), ask("X-API-Key: a"), {}),
    ("one line or two", "G10", ask("Authorization: a", "Authorization: b"), ask("Authorization: a, b"), {}),
    ("userinfo", "G10", ask(url="http://u:p@x/"), ask(url="http://u:q@x/"), {}),
    ("userinfo empty and none", "G10", ask(url="http://@x/"), ask(url="http://x/"), {}),
    ("userinfo and Authorization", "G10", ask(url="http://u@x/"), ask("Authorization: u", url="http://x/"), {}),
    (
        "userinfo beside another's Authorization",
        "G10",
        ask("Authorization: Basic dTpx", url="http://u:p@x/"),
        ask("Authorization: Basic dTpx", url="http://x/"),
        {},
    ),
    (
        "userinfo, where Authorization separates nobody",
        "G10",
        ask("Authorization: Basic dTpw", url="http://u:p@x/"),
        ask("Authorization: Basic dTpw", url="http://x/"),
        {"identity": ["!authorization"]},
    ),
    ("a field of one's own", "G10", ask("X-User: a"), ask("X-User: b"), {"identity": ["X-User"]}),
    ("cookies, in a shared cache", "G10", ask("Cookie: a"), ask("Cookie: b"), {"shared": True}),
    ("Host", "G9", ask("Host: one.example"), ask("Host: two.example"), {}),
    ("Host and the URL's own", "G9", ask("Host: one.example"), ask(), {}),
    ("a token that no list names", "G10", ask("X-Acme-Token: a"), ask("X-Acme-Token: b"), {}),
    ("how the peer is verified", "G10", ask(peer="verify=False"), ask(), {}),
    ("what match_headers names", "G9", ask("Accept: a"), ask("Accept: b"), {"match_headers": ["accept"]}),
    ("any field, if it names all", "G9", ask("X-Any: a"), ask("X-Any: b"), {"match_headers": True}),
    ("what key_fn makes of them", "key_fn", ask(url="http://x/1"), ask(url="http://x/2"), {"key_fn": lambda r: r.url}),
    (
        "bodies, even with key_fn",
        "key_fn",
        ask(method="POST", body=b"a"),
        ask(method="POST", body=b"b"),
        {"key_fn": lambda _: "same"},
    ),
    (
        "users, even if key_fn covers bodies",
        "G10",
        ask("Authorization: a"),
        ask(),
        {"key_fn": lambda _: CoversBody("same")},
    ),
    ("users, even with key_fn", "G10", ask("Authorization: a"), ask(), {"key_fn": lambda _: "same"}),
    ("blank and absent", "G9", ask(url="http://x/?b="), ask(url="http://x/?b"), WITHOUT_K),
    ("an empty query and none", "G9", ask(url="http://x/?"), ask(url="http://x/"), WITHOUT_K),
    (
        "another spelling of the name",
        "G9",
        ask(url="http://x/?K=1"),
        ask(url="http://x/?K=2"),
        WITHOUT_K,
    ),
    (
        "blank and absent in a form",
        "G9",
        ask(FORM, method="POST", body=b"k=1&b="),
        ask(FORM, method="POST", body=b"k=1&b"),
        WITHOUT_K,
    ),
    (
        "plus and escaped space in a form",
        "G9",
        ask(FORM, method="POST", body=b"k=1&b=+"),
        ask(FORM, method="POST", body=b"k=1&b=%20"),
        WITHOUT_K,
    ),
    (
        "a name twice in JSON",
        "G9",
        ask(JSON, method="POST", body=b'{"k": 1, "b": 1, "b": 2}'),
        ask(JSON, method="POST", body=b'{"k": 1, "b": 2}'),
        WITHOUT_K,
    ),
    (
        "a list in JSON",
        "G9",
        ask(JSON, method="POST", body=b"[1]"),
        ask(JSON, method="POST", body=b"[2]"),
        WITHOUT_K,
    ),
    (
        "more parameters than are read",
        "G31",
        ask(url="http://x/?k=1" + "&b" * 1000),
        ask(url="http://x/?k=2" + "&b" * 1000),
        WITHOUT_K,
    ),
    (
        "what is no JSON",
        "G9",
        ask(JSON, method="POST", body=b"{"),
        ask(JSON, method="POST", body=b"}"),
        WITHOUT_K,
    ),
    (
        "JSON too deep to read",
        "G18",
        ask(JSON, method="POST", body=b"[" * 100_000),
        ask(JSON, method="POST", body=b"[" * 100_001),
        WITHOUT_K,
    ),
    (
        "a body of another type",
        "G9",
        ask("Content-Type: text/plain", method="POST", body=b"k=1"),
        ask("Content-Type: text/plain", method="POST", body=b"k=2"),
        WITHOUT_K,
    ),
    (
        "no body, of some type",
        "G9",
        ask(FORM, method="POST"),
        ask(JSON, method="POST"),
        WITHOUT_K,
    ),
)
def test_requests_are_kept_apart_by(one: Request, other: Request, settings: dict[str, Any]) -> None:
    assert keys_of(one, **settings).partition != keys_of(other, **settings).partition


@rows(
    "settings",
    ("who tells users apart otherwise", "G10", {"identity": ["X-User"]}),
    ("who matches fields", "settings", {"match_headers": ["Accept"]}),
    ("who matches all fields", "settings", {"match_headers": True}),
    ("who leaves parameters out", "settings", WITHOUT_K),
    ("who has another namespace", "settings", {"namespace": "n"}),
    ("who is shared", "G10", {"shared": True, "identity": ["Cookie"]}),
    ("who makes keys", "settings", {"key_fn": lambda request: request.url}),
)
def test_sessions_never_meet_with_one(settings: dict[str, Any]) -> None:
    """Sessions whose settings shape keys differently do not share entries, even where the rest is alike."""
    plain = {"identity": ["Cookie"]} if settings.get("shared") else {}
    assert keys_of(ask(), **settings).partition != keys_of(ask(), **plain).partition


def test_another_store_has_other_tags() -> None:
    one, other = (KeyMaker(Policy(), salt).keys(ask("Authorization: a")) for salt in (b"1" * 32, b"2" * 32))
    assert one.resource == other.resource
    assert one.partition != other.partition


def test_what_is_remembered_of_a_request_is_of_that_request_alone() -> None:
    """The same fields with another URL, method, peer or body, and another session, make other keys."""
    request = ask("Accept: a")
    keys = keys_of(request)
    maker = KeyMaker(Policy(allowed_methods=["GET", "POST"]), META.salt)
    for _ in range(2):
        assert maker.keys(request) == maker.keys(replace(request)) == keys
        others = [
            maker.keys(replace(request, url="http://x/")),
            maker.keys(replace(request, method="POST")),
            maker.keys(replace(request, peer="p")),
            maker.keys(replace(request, body=b"b")),
            KeyMaker(Policy(), b"another salt, thirty-two bytes.").keys(replace(request, url="http://u@x/")),
            KeyMaker(Policy(namespace="n"), META.salt).keys(request),
        ]
        assert len({keys, *others}) == 7
    assert pickle.loads(pickle.dumps(request.headers)) == request.headers


def test_what_key_fn_says_is_asked_each_time() -> None:
    said = iter(["a", "b"])
    maker = KeyMaker(Policy(key_fn=lambda _: next(said)), META.salt)
    request = ask()
    assert maker.keys(request) != maker.keys(request)


def test_a_url_alone_names_its_resource() -> None:
    """What maintenance and invalidation ask by."""
    maker = KeyMaker(Policy(ignored_parameters=["k"]), META.salt)
    assert maker.resource(ask(url="HTTPS://u@EXAMPLE.org/a?k=1#f")) == maker.resource(ask())


@pytest.mark.parametrize("result", [None, 5, ("a",)])
def test_key_fn_gives_text_or_bytes(result: object) -> None:
    key_fn: Callable[[Request], Any] = lambda _: result  # noqa: E731
    with pytest.raises(SettingError, match="key_fn"):
        keys_of(ask(), key_fn=key_fn)


_credentials = st.lists(st.tuples(st.sampled_from(["Authorization", "X-API-Key", "Cookie"]), field_values), max_size=3)


@given(_credentials, _credentials, st.booleans())
def test_identities_are_separate(one: list[tuple[str, str]], other: list[tuple[str, str]], shared: bool) -> None:
    """G10: two requests meet only if each credential has the same lines."""
    settings = {"identity": ["authorization", "x-api-key", "cookie"], "shared": shared}
    lines = [
        [[each for each in fields if each[0] == name] for name in dict(one) | dict(other)] for fields in (one, other)
    ]
    made = [keys_of(Request("GET", "http://x/", Headers(fields)), **settings) for fields in (one, other)]
    assert (made[0] == made[1]) is (lines[0] == lines[1])


_targets = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["x", "y", "x:81", "[::1]"]),
    st.text("/ab.%2F", max_size=5).map(lambda path: "/" + path),
    st.text("?&=+%20a", max_size=5),
)


@given(_targets, _targets)
def test_keys_are_injective_up_to_the_spellings_of_one_resource(one: str, other: str) -> None:
    """G9: two keys are equal only if the URLs differ by nothing but what RFC 3986 calls one resource."""
    same = keys_of(ask(url=one)).resource == keys_of(ask(url=other)).resource
    assert same is (normalise(one)[0] == normalise(other)[0])


@given(field_names, field_values, st.text(max_size=9), st.text(max_size=9))
def test_any_request_has_keys(name: str, value: str, url: str, peer: str) -> None:
    request = Request("GET", url, Headers([(name, value)]), b"", peer)
    keys = keys_of(request, match_headers=True, ignored_parameters=["a"])
    assert [len(key) for key in (keys.resource, keys.partition)] == [32, 32]
