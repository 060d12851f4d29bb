"""What stands in the place of requests' own session, or of its methods, before the first request is made."""

from __future__ import annotations

import subprocess
import sys
from functools import partialmethod
from typing import Any

import pytest
import requests
from local_origin import Origin, fresh

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
