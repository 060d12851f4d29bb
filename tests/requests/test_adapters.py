"""Adapters: the user's own below the cache, the cache on a session that is not ours, and what tests put there."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from local_origin import Origin, Reply, fresh
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from sansio_cache import CacheAdapter, CachedSession, MemoryStore, SettingError


class Canned(BaseAdapter):
    """Answers by itself, as the doubles of test suites do."""

    def __init__(self, raw: Any = None) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.raw = raw

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:  # type: ignore[override]
        self.sent.append(keywords)
        response = requests.Response()
        response.status_code = 200
        response.url = request.url or ""
        response.request = request
        response.headers["Cache-Control"] = "max-age=60"
        response.raw = (
            self.raw
            if self.raw is not None
            else HTTPResponse(
                io.BytesIO(b"canned"), headers={"Cache-Control": "max-age=60"}, status=200, preload_content=False
            )
        )
        return response

    def close(self) -> None:
        """Nothing to close."""


def test_a_mounted_adapter_is_the_users(session: CachedSession) -> None:
    """``get_adapter`` gives what was mounted, and the cache lies above it all the same."""
    mine = Canned()
    session.mount("http://here.test/", mine)
    assert session.get_adapter("http://here.test/a") is mine
    for from_cache in (False, True):
        response = session.get("http://here.test/a", timeout=3)
        assert (response.content, response.from_cache) == (b"canned", from_cache)
    assert mine.sent == [{"timeout": 3, "verify": True, "cert": None, "proxies": {}, "stream": True}]


def test_an_adapter_mounted_later_is_seen(session: CachedSession, origin: Origin) -> None:
    """Also for a URL that was asked for before."""
    url = origin.on("/a", Reply(b"x"))
    session.get(url)
    mine = Canned()
    session.mount(url, mine)
    assert session.get(url).content == b"canned"
    assert session.get(url).from_cache


def test_without_an_adapter_there_is_no_answer(session: CachedSession, origin: Origin) -> None:
    """Though one is stored."""
    url = origin.on("/a", fresh(b"x"))
    session.get(url)
    session.adapters.clear()
    with pytest.raises(requests.exceptions.InvalidSchema):
        session.get(url)


class Streaming(io.BytesIO):
    """Streams as urllib3's does."""

    def stream(self, amt: int, decode_content: bool) -> Iterator[bytes]:
        while data := self.read(amt):
            yield data


@pytest.mark.parametrize("raw", [io.BytesIO, Streaming])
@pytest.mark.parametrize("stream", [False, True])
def test_a_raw_that_is_not_urllib3s_is_kept(session: CachedSession, raw: type[io.BytesIO], stream: bool) -> None:
    """A file, a recording: what requests can read."""
    session.mount("http://here.test/", Canned(raw(b"canned")))
    first = session.get("http://here.test/a", stream=stream)
    assert "stored" in first.cache_status or stream
    assert first.content == b"canned"
    assert "stored" in first.cache_status
    second = session.get("http://here.test/a", stream=stream)
    assert (second.from_cache, second.content) == (True, b"canned")


def reads_lines(response: requests.Response) -> None:
    response.raw.readline()


@pytest.mark.parametrize(
    ("raw", "use", "why"),
    [
        (io.BytesIO(b"canned"), lambda response: response.raw.read(3), "body-not-read"),
        (io.BytesIO(b"canned"), lambda response: response.close(), "body-not-read"),
        (io.BytesIO(b"canned"), reads_lines, "raw-not-readable"),
        (io.StringIO("canned"), lambda response: response.raw.read(), "raw-not-readable"),
    ],
    ids=["left in the middle", "closed", "read in another way", "text"],
)
def test_a_raw_that_is_not_read_as_requests_does_is_not_kept(
    session: CachedSession, raw: Any, use: Callable[[requests.Response], object], why: str
) -> None:
    """The status says why."""
    session.mount("http://here.test/", Canned(raw))
    response = session.get("http://here.test/a", stream=True)
    use(response)
    response.close()
    assert f'detail="{why}"' in response.cache_status
    assert (response.expires, response.created_at) == (None, None)
    assert session.cache.stats.not_stored[why] == 1
    assert not session.cache.contains("http://here.test/a")


def test_a_response_of_a_class_of_its_own_stays_that(session: CachedSession, origin: Origin) -> None:
    """With what the cache knows of it as attributes."""

    class Mine(requests.Response):
        pass

    class Making(HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            response = super().build_response(req, resp)
            response.__class__ = Mine
            return response

    session.mount("http://", Making())
    url = origin.on("/a", fresh(b"x"))
    miss: Any = session.get(url)
    assert type(miss).__name__ == "Mine"
    assert miss.from_cache is False
    assert session.get(url).from_cache


def test_a_cache_adapter_gives_a_plain_session_a_cache(tmp_path: Path, key: str, origin: Origin) -> None:
    """Its responses know as much as a cached session's."""
    url = origin.on("/a", fresh(b"x"))
    with requests.Session() as session:
        session.mount("http://", CacheAdapter(cache=tmp_path / "cache.sqlite", secret_key=key))
        answers: list[Any] = [session.get(url) for _ in range(2)]
        assert [answer.from_cache for answer in answers] == [False, True]
        assert [answer.content for answer in answers] == [b"x", b"x"]
        assert answers[1].connection is session.get_adapter(url)
    with CachedSession(tmp_path / "cache.sqlite", secret_key=key) as ours:
        assert ours.get(url).from_cache


def test_a_cache_adapter_lies_over_another(origin: Origin) -> None:
    """``inner`` goes to the network, and what is asked of the adapter beside sending is asked of it."""
    inner = HTTPAdapter(pool_connections=3, max_retries=2)
    adapter = CacheAdapter(inner, MemoryStore())
    assert adapter.inner is inner
    assert adapter.max_retries is inner.max_retries
    assert adapter.poolmanager is inner.poolmanager
    with pytest.raises(AttributeError):
        _ = adapter.no_such_thing
    adapter.close()


def test_a_cache_adapter_takes_the_options_of_a_request(origin: Origin) -> None:
    """As keywords of ``send``; others are refused."""
    adapter = CacheAdapter(cache=MemoryStore())
    request = requests.Request("GET", origin.on("/a", Reply(b"x"))).prepare()
    for _ in range(2):
        response: Any = adapter.send(request, expire_after=60)
        assert response.content == b"x"
    assert response.from_cache
    assert not adapter.send(request, stream=True, force_refresh=True, expire_after=60).from_cache  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="nonsense"):
        adapter.send(request, nonsense=1)
    adapter.close()


def test_a_cache_adapter_on_a_cached_session_has_its_own_cache(session: CachedSession, origin: Origin) -> None:
    """The session's is not asked for what goes through it."""
    url = origin.on("/a", lambda _: fresh(str(origin.count()).encode()))
    session.get(url)
    session.mount("http://", CacheAdapter(cache=MemoryStore()))
    assert [session.get(url).content for _ in range(2)] == [b"2", b"2"]


def test_an_inner_that_is_no_adapter() -> None:
    """Is an error at once."""
    wrong: Any = "https://"
    with pytest.raises(SettingError, match="HTTPAdapter"):
        CacheAdapter(wrong)


def test_many_adapters_do_not_pile_up(session: CachedSession) -> None:
    """A program that mounts a new one for each request."""
    for _ in range(200):
        session.mount("http://here.test/", Canned())
        session.get("http://here.test/a")
    assert len(session._handler._wrapped) <= 64


@pytest.mark.parametrize("target", ["class", "session"])
def test_the_cache_is_asked_again_after_requests_mock(session: CachedSession, origin: Origin, target: str) -> None:
    """Which puts the method of ``requests.Session`` into the session that was asked meanwhile."""
    requests_mock = pytest.importorskip("requests_mock")
    url = origin.on("/x", fresh(b"x"))
    session.get(url)
    with requests_mock.Mocker(session=session if target == "session" else None) as mock:
        mock.get("http://example.org/", text="mocked")
        assert session.get("http://example.org/").text == "mocked"
    assert session.get(url).from_cache
    assert vars(session).keys().isdisjoint({"send", "get_adapter"})
    own = session.get_adapter
    session.get_adapter = lambda url: Canned()  # type: ignore[method-assign, assignment]
    assert session.get(url).text == "canned"
    session.get_adapter = own  # type: ignore[method-assign]
    assert session.get(url).from_cache
