"""What stands in the place of requests' own session, or of its methods, before the first request is made."""

from __future__ import annotations

import subprocess
import sys

import pytest
from local_origin import Origin, fresh

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


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_what_a_program_puts_in_its_place_before_the_first_request(program: str, origin: Origin) -> None:
    url = origin.on("/x", fresh(b"x"))
    begin = f"import requests\nfrom sansio_cache import CachedSession\nurl = {url!r}\n"
    done = subprocess.run([sys.executable, "-c", begin + program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]
