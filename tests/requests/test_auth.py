"""Credentials, cookies, netrc and proxies: they work as without a cache, and separate users."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import requests
from local_origin import Origin, Reply, Seen, fresh
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth, HTTPProxyAuth

from sansio_cache import CachedSession

CHALLENGE = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'


def echo(seen: Seen) -> Reply:
    """A body that tells what was sent."""
    told = [seen.get(name) or "" for name in ("Authorization", "X-API-Key", "Cookie")]
    return fresh("|".join(told).encode())


class Token(AuthBase):
    """An auth callable."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.calls = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.calls += 1
        request.headers["X-API-Key"] = self.token
        return request


def by_argument(session: CachedSession, url: str, name: str) -> Any:
    return session.get(url, auth=(name, "pw"))


def by_basic(session: CachedSession, url: str, name: str) -> Any:
    return session.get(url, auth=HTTPBasicAuth(name, "pw"))


def by_session(session: CachedSession, url: str, name: str) -> Any:
    session.auth = (name, "pw")
    return session.get(url)


def by_callable(session: CachedSession, url: str, name: str) -> Any:
    return session.get(url, auth=Token(name))


def by_header(session: CachedSession, url: str, name: str) -> Any:
    return session.get(url, headers={"Authorization": f"Bearer {name}"})


def by_session_header(session: CachedSession, url: str, name: str) -> Any:
    session.headers["authorization"] = f"Bearer {name}"
    return session.get(url)


def by_proxy_header(session: CachedSession, url: str, name: str) -> Any:
    return session.get(url, auth=HTTPProxyAuth(name, "pw"))


def by_url(session: CachedSession, url: str, name: str) -> Any:
    return session.get(url.replace("://", f"://{name}:pw@"))


def by_netrc(session: CachedSession, url: str, name: str) -> Any:
    (Path.home() / ".netrc").write_text(f"machine 127.0.0.1 login {name} password pw\n")
    return session.get(url)


def by_send(session: CachedSession, url: str, name: str) -> Any:
    return session.send(requests.Request("GET", url, auth=(name, "pw")).prepare())


WAYS = [
    *(by_argument, by_basic, by_session, by_callable, by_header, by_session_header, by_proxy_header, by_url, by_netrc),
    by_send,
]


@pytest.mark.parametrize("way", WAYS)
def test_users_never_share_an_entry(session: CachedSession, origin: Origin, way: Any) -> None:
    """However their credentials were added."""
    url = origin.on("/a", echo)
    anonymous = session.get(url).content
    answers = [way(session, url, name) for name in ("ann", "bob", "ann", "bob")]
    assert [answer.from_cache for answer in answers] == [False, False, True, True]
    ann, bob = answers[0].content, answers[1].content
    assert answers[2].content == ann
    assert answers[3].content == bob
    if way is not by_proxy_header:  # which the origin does not echo
        assert len({anonymous, ann, bob}) == 3
    assert origin.count() == 3


def test_a_netrc_that_comes_later_is_seen_at_once(session: CachedSession, origin: Origin) -> None:
    """What was remembered of a request without it does not hold any longer."""
    url = origin.on("/a", echo)
    for _ in range(3):
        assert session.get(url).content == b"||"
    by_netrc(session, url, "ann")
    assert session.get(url).content.startswith(b"Basic ")
    session.trust_env = False
    assert session.get(url).content == b"||"


def test_an_auth_callable_is_called_once_for_a_request(session: CachedSession, origin: Origin) -> None:
    """It may sign with a counter or a nonce."""
    token = Token("t")
    url = origin.on("/a", echo)
    for count in (1, 2, 3):
        session.get(url, auth=token)
        assert token.calls == count


def digest(seen: Seen) -> Reply:
    if (seen.get("Authorization") or "").startswith("Digest "):
        return Reply(b"in", fields={"Cache-Control": "no-store"})
    challenge = fresh(b"who?", www_authenticate=CHALLENGE)
    challenge.status = 401
    return challenge


def test_digest_over_a_hit(session: CachedSession, origin: Origin) -> None:
    """A stored challenge is answered as one from the network."""
    url = origin.on("/a", digest)
    for from_cache in (False, True):
        response = session.get(url, auth=HTTPDigestAuth("me", "pw"))
        assert (response.status_code, response.content) == (200, b"in")
        assert response.history[0].status_code == 401
        assert response.history[0].from_cache is from_cache
        assert (response.request.headers["Authorization"]).startswith('Digest username="me"')
    assert [bool(seen.get("Authorization")) for seen in origin.seen] == [False, True, True]


def test_digest_rewinds_an_upload(session: CachedSession, origin: Origin, tmp_path: Path) -> None:
    """The file is sent again from where it began."""
    path = tmp_path / "upload"
    path.write_bytes(b"skipped,sent")
    url = origin.on("/a", digest)
    with path.open("rb") as upload:
        upload.seek(8)
        assert session.post(url, data=upload, auth=HTTPDigestAuth("me", "pw")).content == b"in"
    assert [seen.body for seen in origin.seen] == [b"sent", b"sent"]


def test_cookies_are_sent(session: CachedSession, origin: Origin) -> None:
    """Of the session and of the request; in a private cache they separate where the response says so."""
    url = origin.on("/a", lambda seen: fresh((seen.get("Cookie") or "-").encode(), vary="Cookie"))
    session.cookies.set("s", "1")
    assert session.get(url, cookies={"r": "2"}).content == b"s=1; r=2"
    assert session.get(url).content == b"s=1"
    assert session.get(url, cookies={"r": "2"}).from_cache
    session.cookies.clear()
    assert session.get(url).content == b"-"
    assert session.get(url).from_cache
    assert origin.count() == 3


def test_a_received_cookie_is_sent_on(session: CachedSession, origin: Origin) -> None:
    """The jar works beside the cache, and is the same object as ever."""
    origin.on("/in", Reply(fields={"Set-Cookie": "sid=1"}))
    url = origin.on("/a", lambda seen: fresh((seen.get("Cookie") or "-").encode()))
    jar = session.cookies
    session.get(origin.url("/in"))
    assert session.get(url).content == b"sid=1"
    assert session.cookies is jar
    assert jar["sid"] == "1"


def test_a_proxy_is_used(session: CachedSession, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """By keyword, by session and by environment; what it answered is kept for those who go through it."""
    for path in "abc":
        origin.on(f"http://example.org/{path}", echo)
    proxies = {"http": origin.url("")}
    assert session.get("http://example.org/a", proxies=proxies).status_code == 200
    session.proxies = proxies
    assert session.get("http://example.org/b").status_code == 200
    session.proxies = {}
    monkeypatch.setenv("http_proxy", origin.url(""))
    assert session.get("http://example.org/c").status_code == 200
    for path in "abc":
        assert session.get(f"http://example.org/{path}").from_cache
    monkeypatch.delenv("http_proxy")
    assert not session.cache.contains("http://example.org/a")
    assert [seen.target for seen in origin.seen] == [f"http://example.org/{path}" for path in "abc"]


def test_credentials_of_a_proxy_are_its_own(session: CachedSession, origin: Origin) -> None:
    """They go to the proxy alone, and are part of the answer's key."""
    origin.on("http://example.org/a", echo)
    proxy = origin.url("").replace("://", "://me:pw@")
    session.get("http://example.org/a", proxies={"http": proxy})
    assert origin.last().get("Proxy-Authorization") == "Basic " + base64.b64encode(b"me:pw").decode()
    assert session.get("http://example.org/a", proxies={"http": proxy}).from_cache
    assert not session.cache.contains("http://example.org/a", proxies={"http": origin.url("")})
    assert not session.cache.contains("http://example.org/a")
