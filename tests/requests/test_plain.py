"""What stands in the place of requests' own session, or of its methods, before the first request is made."""

from __future__ import annotations

import subprocess
import sys
from functools import partial, partialmethod
from typing import Any

import pytest
import requests
from local_origin import Origin, fresh, redirect

from sansio_cache import CachedSession

PROGRAMS = {
    "another class": """
requests.Session = requests.sessions.Session = CachedSession
session = requests.Session("memory:")
print(*(session.get(url).from_cache for _ in range(2)))
""",
    "a class of its own": """
class Mine(requests.Session):
    pass
requests.Session = requests.sessions.Session = Mine
session = CachedSession("memory:")
print(*(session.get(url).from_cache for _ in range(2)))
""",
    "a method": """
sent = requests.Session.send
def send(session, request, **keywords):
    sends.append(request)
    return sent(session, request, **keywords)
sends = []
requests.Session.send = send
session = CachedSession("memory:")
print(*(session.get(url).from_cache for _ in range(2)))
assert len(sends) == 2, "a double of the session's is heard of each request"
""",
}

FIRST = """
import requests
replaced, seen = requests.Session.NAME, []
def NAME(session, *arguments, **keywords):
    seen.append(arguments)
    return replaced(session, *arguments, **keywords)
requests.Session.NAME = NAME
from sansio_cache import CachedSession
session = CachedSession("memory:")
for url in URLS * 2:
    session.get(url)
print(len(seen))
"""


@pytest.mark.parametrize("name", ["request", "send"])
def test_a_tool_that_was_there_first_sees_each_request(name: str, origin: Origin) -> None:
    """Tools for tracing replace methods before what they trace is imported: misses and hits go through them."""
    urls = [origin.on("/x", fresh(b"x")), origin.on("/y", fresh(b"y"))]
    program = FIRST.replace("NAME", name).replace("URLS", repr(urls))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("4", "")


class Wrapper:
    """Equals what it wraps and shows its attributes, as those of wrapt do, which most tools for tracing take."""

    def __init__(self, wrapped: Any, seen: list[str]) -> None:
        self.wrapped, self.seen = wrapped, seen

    def __eq__(self, other: object) -> bool:
        return bool(self.wrapped == other)

    def __hash__(self) -> int:
        return hash(self.wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else partial(self, owner)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.seen.append(self.wrapped.__name__)
        return self.wrapped(*arguments, **keywords)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *((requests.Session, each) for each in ("request", "send", "prepare_request", "merge_environment_settings")),
        *((requests.Session, each) for each in ("resolve_redirects", "get_redirect_target")),
        *((CachedSession, each) for each in ("send", "get_adapter")),
        (requests.PreparedRequest, "prepare_headers"),
    ],
)
def test_a_wrapper_that_equals_what_it_wraps_is_called(
    session: CachedSession, origin: Origin, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    """For a miss like the one before it, too."""
    urls = [origin.on(path, redirect("/c")) for path in ("/a", "/b")]
    origin.on("/c", fresh(b"x"))
    session.get(urls[0])
    seen: list[str] = []
    monkeypatch.setattr(owner, name, Wrapper(getattr(owner, name), seen))
    session.get(urls[1])
    assert seen.count(name) >= (2 if name == "send" else 1)  # the redirect, and where it leads


def test_a_timeout_that_a_program_gives_to_all_requests_is_given(
    session: CachedSession, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partial method in the place of ``Session.request``, as programs have had it for years."""
    given: list[object] = []
    send = requests.adapters.HTTPAdapter.send

    def noted(*arguments: Any, **keywords: Any) -> requests.Response:
        given.append(keywords["timeout"])
        return send(*arguments, **keywords)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", noted)
    monkeypatch.setattr(requests.Session, "request", partialmethod(requests.Session.request, timeout=7))
    session.get(origin.on("/x", fresh(b"x")))
    session.get(origin.on("/y", fresh(b"y")), timeout=3)
    assert given == [7, 3]


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_what_a_program_puts_in_its_place_before_the_first_request(program: str, origin: Origin) -> None:
    url = origin.on("/x", fresh(b"x"))
    begin = f"import requests\nfrom sansio_cache import CachedSession\nurl = {url!r}\n"
    done = subprocess.run([sys.executable, "-c", begin + program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]
