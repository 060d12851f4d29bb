"""The fast path gives what the long way gives: the same request, under the same key, or none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from local_origin import Origin, fresh
from requests.adapters import BaseAdapter

from sansio_cache import CachedSession, MemoryStore
from sansio_cache.messages import NO_OPTIONS, Request
from sansio_cache_adapters.cache.prepared import PREPARED_BYTES
from sansio_cache_adapters.requests import fast_path as module
from sansio_cache_adapters.requests.adapter import CacheAdapter
from sansio_cache_adapters.requests.common import core_request
from sansio_cache_adapters.requests.peers import Way

names = st.sampled_from(
    ["X-A", "x-a", "X-B", "Accept", "accept-encoding", "Cookie", "X-API-Key", "User-Agent", "Range"]
)
values = st.one_of(st.text("abc 12", max_size=4).map(str.strip), st.sampled_from([b"bytes", None, "gzip"]))
fields = st.one_of(st.none(), st.dictionaries(names, values, max_size=3))
cookies = st.one_of(st.none(), st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2))
params: Any = st.one_of(
    st.none(),
    st.sampled_from(["", b"", "a=1", b"x", {}, [], {"k": None}, {"k": ["1", "2"]}, [("a", "1"), ("a", "2")]]),
    st.dictionaries(st.sampled_from(["a", "b"]), st.text("é /+1", max_size=3), max_size=2),
)


def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = "Bearer t"
    return request


def rewriting(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.url = (request.url or "") + "&signed=1"
    return request


auths: Any = st.sampled_from([None, ("me", "pw"), ("", ""), bearer, rewriting])
verifies: Any = st.sampled_from([None, True, False, "", "/ca.pem"])
proxies: Any = st.dictionaries(
    st.sampled_from(["http", "https", "all", "no_proxy", "http://a.test"]),
    st.sampled_from(["http://ann:pw@proxy:1", "http://bob:pw@proxy:1", "proxy:2", "socks5://proxy:3", "a.test", "["]),
    max_size=2,
)
certs: Any = st.sampled_from([None, "", "/c.pem", ("/c.pem", "/k.pem")])
urls = st.sampled_from(
    [
        *(
            "http://a.test/",
            "HTTP://A.test:80/x?q=1",
            "https://a.test/x#f",
            "https://me:pw@a.test/",
            "http://a.test/%7Ex",
        ),
        *("http://a.test/x/../y", "http://a.test/.", "http://a.test//x", "http://a.test/a/b.c/?q=1&r=-~"),
        *("http://a.test/é", " https://b.test/x ", "https://b.test?x=ü&y", "http://[::1]/", "https://xn--a.test/../x"),
    ]
)
calls = st.fixed_dictionaries(
    {"url": urls},
    optional={
        "headers": fields,
        "params": params,
        "cookies": cookies,
        "auth": auths,
        "verify": verifies,
        "cert": certs,
        "proxies": st.none() | proxies,
        "stream": st.sampled_from([None, True, False]),
        "allow_redirects": st.booleans(),
        "timeout": st.sampled_from([None, 1, (1, 2)]),
    },
)
states = st.fixed_dictionaries(
    {},
    optional={
        "headers": st.dictionaries(names, st.sampled_from(["1", "2", None]), max_size=2),
        "params": st.sampled_from([{}, {"s": "1"}]),
        "auth": auths,
        "cookies": st.dictionaries(st.just("s"), st.just("1"), max_size=1),
        "verify": verifies,
        "cert": certs,
        "proxies": proxies,
        "trust_env": st.booleans(),
    },
)
environments = st.dictionaries(
    st.sampled_from(
        ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "no_proxy", "Http_Proxy"]
    ),
    st.sampled_from(["/env.pem", "http://eve:pw@proxy:1", "a.test"]),
    max_size=3,
)


class Recorder(BaseAdapter):
    """Answers everything, and remembers as what it came."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, ...]] = []
        self.arguments: list[dict[str, Any]] = []
        self.requests: list[Request] = []

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:  # type: ignore[override]
        self.seen.append(native(request))
        self.arguments.append(keywords)
        way = Way(self, None, keywords["verify"], keywords["cert"], keywords["proxies"])
        self.requests.append(core_request(request, way, NO_OPTIONS))
        response = requests.Response()
        response.status_code = 500
        response.request = request
        response._content = b""
        response.url = request.url or ""
        return response

    def close(self) -> None:
        """Nothing to close."""


def native(request: requests.PreparedRequest) -> tuple[Any, ...]:
    cookies = [(each.name, each.value) for each in request._cookies or ()]
    return (request.method, request.url, list(request.headers.items()), request.body, request.hooks, cookies)


def arranged(session: requests.Session, state: dict[str, Any], recorder: Recorder) -> None:
    for prefix in ("http://", "https://"):
        session.mount(prefix, recorder)
    for name, value in state.items():
        if name == "headers":
            session.headers.update(value)
        elif name == "cookies":
            session.cookies.update(value)
        else:
            setattr(session, name, value)


class Told:
    """What the fast path took a request for."""

    def __init__(self, session: CachedSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[tuple[Any, Request]] = []
        fast = session._handler._fast
        prepare = fast._prepared

        def noted(*arguments: Any) -> Any:
            prepared = prepare(*arguments)
            self.requests.append((native(prepared.given_out()), prepared.request))
            return prepared

        monkeypatch.setattr(fast, "_prepared", noted)


@example([{"url": "https://a.test/", "cert": ""}], {"cert": "/c.pem"}, {}, {}, {}, [])
@example([{"url": "https://a.test/", "verify": None}], {"verify": ""}, {}, {}, {}, [])
@example([{"url": "http://a.test/"}], {}, {}, {}, {}, ["http://me:pw@a.test/", "http://b.test/é?x#f", "http:///"])
@given(
    calls=st.lists(calls, min_size=1, max_size=3),
    state=states,
    environment=environments,
    changed=states,
    later=environments,
    others=st.lists(urls, max_size=2),
)
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
def test_both_ways_ask_the_same(
    calls: list[dict[str, Any]],
    state: dict[str, Any],
    environment: dict[str, str],
    changed: dict[str, Any],
    later: dict[str, str],
    others: list[str],
) -> None:
    """Whatever the arguments, the session and the environment, whatever changes in between; for other URLs, too."""
    calls = [{**call, "url": url} for call in calls for url in (call["url"], *others)]
    with pytest.MonkeyPatch.context() as patch, CachedSession(MemoryStore()) as ours, requests.Session() as plain:
        for name, value in environment.items():
            patch.setenv(name, value)
        recorders = Recorder(), Recorder()
        arranged(ours, state, recorders[0])
        arranged(plain, state, recorders[1])
        told = Told(ours, patch)
        for step, call in enumerate([*calls, *calls, *calls]):
            if step == 2 * len(calls):
                for name in environment:
                    patch.delenv(name)
                for name, value in later.items():
                    patch.setenv(name, value)
                arranged(ours, changed, recorders[0])
                arranged(plain, changed, recorders[1])
            outcomes = [outcome(session, call) for session in (ours, plain)]
            assert outcomes[0] == outcomes[1]
        assert recorders[0].seen == recorders[1].seen
        # How requests merges session and environment is remembered, too. The cache itself always streams.
        for ours_, theirs in zip(recorders[0].arguments, recorders[1].arguments, strict=True):
            assert {**ours_, "stream": None} == {**theirs, "stream": None}
        assert recorders[0].requests == recorders[1].requests
        # What the fast path would have looked up is what the adapter was given.
        sent = iter(zip(recorders[0].seen, recorders[0].requests, strict=True))
        for prepared, request in told.requests:
            assert (prepared, request) == next(sent)


def outcome(session: requests.Session, call: dict[str, Any]) -> object:
    try:
        return session.get(**call).status_code
    except Exception as error:
        return type(error), str(error)


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of the requests that are not prepared like others."""
    urls: list[str] = []
    prepare = module.prepared_anew

    def noted(session: requests.Session, url: str, keywords: dict[str, Any]) -> requests.PreparedRequest:
        urls.append(url)
        return prepare(session, url, keywords)

    monkeypatch.setattr(module, "prepared_anew", noted)
    return urls


def test_another_url_is_prepared_like_the_last(
    session: CachedSession, origin: Origin, anew: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as nothing but the URL differs, which names no user, and requests prepares as it always does."""
    urls = [origin.on(f"/{number}", fresh(b"x")) for number in range(6)]
    session.get(urls[0])
    session.get(urls[1])
    assert anew == urls[:1]
    session.headers["X-A"] = "1"
    session.get(urls[2])
    session.get(urls[3])
    session.get(urls[3].replace("://", "://me:pw@"))
    monkeypatch.setattr(requests.PreparedRequest, "prepare_headers", requests.PreparedRequest.prepare_headers)
    session.get(urls[4])
    monkeypatch.setattr(requests.PreparedRequest, "prepare_auth", lambda *_: None)
    session.get(urls[5])
    assert anew == [urls[0], urls[2], urls[3].replace("://", "://me:pw@"), urls[5]]


def test_credentials_are_added_to_what_is_remembered(session: CachedSession, origin: Origin, anew: list[str]) -> None:
    """They come last, and each request is given to them as if it were the first."""
    url = origin.on("/a", fresh(b"x", vary="X-Count"))
    counts = iter(range(10))
    seen: list[tuple[Any, ...]] = []

    def counting(request: requests.PreparedRequest) -> requests.PreparedRequest:
        seen.append(native(request))
        request.headers["X-Count"] = str(next(counts) % 2)
        request.headers.pop("Accept", None)
        return request

    responses = [session.get(url, auth=counting) for _ in range(4)]
    assert [response.from_cache for response in responses] == [False, False, True, True]
    assert [response.request.headers["X-Count"] for response in responses] == ["0", "1", "0", "1"]
    assert anew == [url]
    assert seen == [seen[0]] * 4
    # Without a netrc to ask, credentials that are false keep those in the URL out.
    session.trust_env = False
    named = url.replace("://", "://me:pw@")
    for auth, shown in (((), False), (None, True), ((), False), (counting, False), (None, True)):
        headers = session.get(named, auth=auth).request.headers
        assert ("Authorization" in headers) is shown


def test_what_stands_in_the_place_of_netrc_is_asked_each_time(
    session: CachedSession, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G10: it may know of other credentials by now, or of some for this URL."""
    urls = [origin.on(path, fresh(b"x")) for path in ("/a", "/b")]
    session.get(urls[0])
    known: dict[str, tuple[str, str]] = {}
    monkeypatch.setattr(requests.sessions, "get_netrc_auth", known.get)
    assert session.get(urls[0]).from_cache
    known[urls[0]] = known[urls[1]] = ("me", "pw")
    for url in urls:
        assert not session.get(url).from_cache
        assert origin.last().get("Authorization")
        assert session.get(url).from_cache


@pytest.fixture
def url(session: CachedSession, origin: Origin) -> str:
    """Of a response that is stored, and whose request is remembered."""
    url = origin.on("/a", fresh(b"x"))
    session.get(url)
    session.get(url)
    return url


@pytest.fixture
def looked(session: CachedSession, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ways that requests took."""
    ways: list[str] = []
    fast, adapter = session._handler._fast.look, CacheAdapter.send

    def noted_fast(*arguments: Any) -> Any:
        ways.append("fast")
        return fast(*arguments)

    def noted_adapter(*arguments: Any, **keywords: Any) -> Any:
        ways.append("adapter")
        return adapter(*arguments, **keywords)

    monkeypatch.setattr(session._handler._fast, "look", noted_fast)
    monkeypatch.setattr(CacheAdapter, "send", noted_adapter)
    return ways


def test_a_hit_passes_the_adapter_by(session: CachedSession, url: str, looked: list[str]) -> None:
    """That is what makes it fast; the prepared request is one object for all."""
    known = session._handler._fast._remembered.get(url)
    session.get(url)
    assert looked == ["fast"]
    assert session._handler._fast._remembered.get(url) is known


def test_methods_of_others_see_hits(
    session: CachedSession, key: str, url: str, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``send`` that was replaced, in the object, in a subclass or in requests, is called for a hit too."""
    sent: list[str] = []

    def watched(send: Any) -> Any:
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            sent.append("send")
            return send(*arguments, **keywords)

        return wrapper

    with monkeypatch.context() as patch:
        patch.setattr(session, "send", watched(session.send))
        session.get(url)
    with monkeypatch.context() as patch:
        patch.setattr(CachedSession, "send", watched(CachedSession.send))
        session.get(url)
    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", watched(requests.Session.send))
        session.get(url)
    assert sent == ["send"] * 3
    assert looked == ["adapter"] * 3

    class Watching(CachedSession):
        def send(self, *arguments: Any, **keywords: Any) -> Any:
            sent.append("mine")
            return super().send(*arguments, **keywords)

    with Watching(session.cache.store, secret_key=key) as mine:
        assert mine.get(url).from_cache
    assert sent[-1] == "mine"


@pytest.mark.parametrize("step", ["prepare_request", "merge_environment_settings", "get_adapter"])
def test_steps_that_were_replaced_are_taken(
    session: CachedSession, url: str, looked: list[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The other steps of requests likewise."""
    taken: list[str] = []
    original = getattr(session, step)

    def mine(*arguments: Any, **keywords: Any) -> Any:
        taken.append(step)
        return original(*arguments, **keywords)

    monkeypatch.setattr(session, step, mine)
    assert session.get(url).from_cache
    assert taken == [step]
    assert looked == ["adapter"]


SECURE = "https://a.test/"


def remembered(session: CachedSession) -> bool:
    """Whether a request is not prepared anew; no origin is asked."""
    before = session._handler._fast._remembered.get(SECURE)
    session.get(SECURE, only_if_cached=True)
    return session._handler._fast._remembered.get(SECURE) is before


CHANGES: dict[str, Any] = {
    "headers": lambda session: session.headers.update({"X-Mine": "1"}),
    "header removed": lambda session: session.headers.pop("Accept"),
    "other headers": lambda session: setattr(session, "headers", {"Accept": "text/plain"}),
    "verify": lambda session: setattr(session, "verify", False),
    "cert": lambda session: setattr(session, "cert", "/c.pem"),
    "adapter": lambda session: session.mount("https://a", requests.adapters.HTTPAdapter()),
    "environment": lambda _: os.environ.__setitem__("REQUESTS_CA_BUNDLE", "/ca.pem"),
}


@pytest.fixture
def kept_environment() -> Iterator[None]:
    """Takes back what a change does to the environment."""
    yield
    os.environ.pop("REQUESTS_CA_BUNDLE", None)


@pytest.mark.usefixtures("kept_environment")
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_remembered_is_forgotten_by(session: CachedSession, change: str) -> None:
    """Everything that preparing reads."""
    assert not remembered(session)
    assert remembered(session)
    CHANGES[change](session)
    assert not remembered(session)
    assert remembered(session)


def test_what_is_remembered_is_bounded(session: CachedSession, origin: Origin) -> None:
    """G28: the oldest go, the sooner the longer they are."""
    for length in (10, 10_000):
        urls = [origin.url(f"/a?{number}&" + "x" * length) for number in range(1100)]
        for url in urls:
            session.get(url, only_if_cached=True)
        assert session._handler._fast._remembered.info().currsize <= PREPARED_BYTES
        assert session._handler._fast._remembered.get(urls[0]) is None or length == 10
        assert session._handler._fast._remembered.get(urls[-1]) is not None


def test_a_mutable_header_given_is_no_trouble(session: CachedSession, url: str) -> None:
    """The user's dict is read at each call."""
    mine = {"X-API-Key": "1"}
    assert not session.get(url, headers=mine).from_cache
    assert session.get(url, headers=mine).from_cache
    mine["X-API-Key"] = "2"
    assert not session.get(url, headers=mine).from_cache


def test_remembered_requests_share_what_nobody_can_change(origin: Origin) -> None:
    """G31: their fields are held once, and what one user does to a request is seen in no other."""
    urls = [origin.on(path, fresh(b"x")) for path in ("/one", "/two")]
    with CachedSession(cache=MemoryStore()) as session:
        for url in urls * 2:
            session.get(url)
        first, second = (session._handler._fast._remembered.get(url) for url in urls)
        assert first.native.headers is second.native.headers
        assert first.request.headers.items is second.request.headers.items
        touched = session.get(urls[0]).request
        touched.headers["X-Mine"] = "1"
        touched._cookies.set("mine", "1")  # type: ignore[union-attr]
        touched.prepare_cookies({"mine": "1"})
        for url in urls:
            again = session.get(url)
            assert again.from_cache
            assert again.request.url == url
            assert "X-Mine" not in again.request.headers
            assert "Cookie" not in again.request.headers
            assert not again.request._cookies
        session.get(urls[1], headers={"X-Other": "1"})
        assert "X-Other" not in session.get(urls[1]).request.headers
