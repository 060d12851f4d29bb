"""G9: different resources never share an entry; spellings of one resource do."""

from __future__ import annotations

from typing import Any

import pytest
from local_origin import Origin, fresh

DIFFERENT = [
    ("/a", "/A"),
    ("/a", "/a/"),
    ("/a?x=1&y=2", "/a?y=2&x=1"),
    ("/a?x=1&x=2", "/a?x=2&x=1"),
    ("/a?x=1&x=1", "/a?x=1"),
    ("/a?x=", "/a?x"),
    ("/a?x", "/a"),
    ("/a?x=1", "/a?x=01"),
    ("/a?x=a+b", "/a?x=a%20b"),
    ("/a?x=a%2Bb", "/a?x=a+b"),
    ("/a?x=1;y=2", "/a?x=1&y=2"),
    ("/a?x=%26y=2", "/a?x=&y=2"),
    ("/a?x=%3D", "/a?x=="),
    ("/a%2Fb", "/a/b"),
    ("/a//b", "/a/b"),
    ("/a;p", "/a"),
    ("/a%3Fx=1", "/a?x=1"),
    ("/a%23x", "/a"),
    ("/a?x=1%23", "/a?x=1"),
    ("/%25", "/%2525"),
    ("/a%00", "/a"),
    ("/a?x=é", "/a?x=e"),
    ("/ä", "/%E4"),
    ("/a?x=true", "/a?x=True"),
    ("/a?[]=1", "/a?=1"),
    ("/a?x=1&", "/a?x=1"),
    ("/a??", "/a?"),
    ("/a:b", "/a%3Ab"),
    ("/a,b", "/a%2Cb"),
]

SAME = [("/%7Eme", "/~me"), ("/a%2d", "/a%2D"), ("/a%c3%a4", "/a%C3%A4"), ("/a", "/a#part"), ("/x/../a", "/a")]


@pytest.fixture
def url(origin: Origin) -> Any:
    """A URL of an origin whose every answer tells what was asked for."""

    class Everything(dict[str, Any]):
        def get(self, _: str, __: Any = None) -> Any:
            return [lambda seen: fresh(seen.target.encode("latin-1"))]

    origin._answers = Everything()
    return origin.url


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_resources(session: Any, origin: Origin, url: Any, one: str, other: str) -> None:
    """G9: each gets its own answer, in either order."""
    answers = [session.get(url(path)) for path in (one, other, one, other)]
    assert [answer.from_cache for answer in answers] == [False, False, True, True]
    assert answers[0].content == answers[2].content != answers[1].content == answers[3].content
    assert answers[0].cache_key != answers[1].cache_key


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_resource(session: Any, url: Any, one: str, other: str) -> None:
    """G9: RFC 3986 §6.2.2–6.2.3."""
    assert not session.get(url(one)).from_cache
    assert session.get(url(other)).from_cache


def test_hosts_and_ports(session: Any, origin: Origin, url: Any) -> None:
    """G9: another host or port is another resource, the case of a host is not."""
    session.get(url("/a"))
    assert not session.get(f"http://localhost:{origin.port}/a").from_cache
    assert session.get(f"http://LOCALHOST:{origin.port}/a").from_cache
    second = Origin()
    second.on("/a", fresh(b"second"))
    assert session.get(second.url("/a")).content == b"second"
    second.close()


def test_parameters_of_the_call_are_those_of_the_url(session: Any, url: Any) -> None:
    """G9: they are encoded by requests, once, and never reordered."""
    first = session.get(url("/a"), params=[("b", "ä"), ("a", "1 2")])
    assert first.content == b"/a?b=%C3%A4&a=1+2"
    assert session.get(url("/a?b=%C3%A4&a=1+2")).from_cache
    assert not session.get(url("/a"), params=[("a", "1 2"), ("b", "ä")]).from_cache


def test_ignored_parameters_are_the_users_word(sessions: Any, url: Any) -> None:
    """G9: only those named, whatever their spelling."""
    session = sessions(ignored_parameters=["utm", "ü"])
    session.get(url("/a?x=1&utm=2"))
    assert session.get(url("/a?utm=3&x=1&%C3%BC=5")).from_cache
    assert session.get(url("/a?x=1")).from_cache
    assert not session.get(url("/a?x=1&utm2=2")).from_cache
    assert not session.get(url("/a?x=1&UTM=2")).from_cache
