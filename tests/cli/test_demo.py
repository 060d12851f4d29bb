"""``demo``: the story and the API that the manual's examples ask."""

from __future__ import annotations

import http.client
import io
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from clock import Clock
from command_line import Command
from rich.console import Console

from sansio_cache import CachedSession
from sansio_cache_adapters.cli.demo import story
from sansio_cache_adapters.cli.demo.origin import BIG, ROUTES, DemoOrigin, running
from sansio_cache_adapters.cli.demo.report import DemoReport


def test_the_story_fits_eighty_columns_and_is_told_well(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    report = DemoReport(Console(width=80, file=out))
    assert story.main(report) == 0
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out.getvalue()
    last = [line for line in lines if line.strip()][-1]
    assert last == f"All {report.checks} as they should be: requests and aiohttp and trio on one signed file."
    assert out.getvalue().count("Look at") == 6, "before each table it is said what to look at"


def test_a_story_that_goes_wrong_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(story, "JOBS", [("/secret", {}, "miss", "hit")])
    monkeypatch.setattr(story, "find_spec", lambda name: None)
    monkeypatch.setattr(story, "rotated", lambda *_: None)
    out = io.StringIO()
    assert story.main(DemoReport(Console(width=80, file=out))) == 1
    assert "NOT AS EXPECTED" in out.getvalue()
    assert "1 of 8 were not as they should be." in " ".join(out.getvalue().split())
    assert "not as expected: /secret" in capsys.readouterr().err


def test_the_command_ends_as_the_story_does(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    command = Command(None, clock)
    monkeypatch.setattr(story, "main", lambda: 0)
    assert command("demo").status == 0
    monkeypatch.setattr(story, "main", lambda: 1)
    assert command("demo").status == 1

    def without() -> int:
        raise ImportError("CachedSession needs requests, which is not installed: pip install 'sansio-cache[requests]'")

    monkeypatch.setattr(story, "main", without)
    ran = command("demo")
    assert (ran.status, "sansio-cache[requests]" in ran.err) == (2, True)


@pytest.fixture
def api() -> Iterator[DemoOrigin]:
    with running() as origin:
        yield origin


def asked(
    origin: DemoOrigin, path: str, method: str = "GET", body: bytes | None = None, **fields: str
) -> tuple[int, dict[str, str], bytes]:
    """The status, header fields and content of an answer."""
    connection = http.client.HTTPConnection(urlsplit(origin.url).netloc, timeout=10)
    try:
        connection.request(
            method, path, body, headers={name.replace("_", "-"): value for name, value in fields.items()}
        )
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_the_api_says_what_there_is(api: DemoOrigin) -> None:
    status, _, body = asked(api, "/")
    assert status == 200
    for route in ROUTES:
        assert route.path in body.decode()
    assert asked(api, "/none")[0] == 404
    assert asked(api, "/items/")[0] == 404


@pytest.mark.parametrize(
    ("path", "fields", "status", "body"),
    [
        ("/items/one", {}, 200, b'{"item": "one"}\n'),
        ("/items/one?q=1", {}, 200, b'{"item": "one"}\n'),
        ("/tagged", {"If_None_Match": '"v1"'}, 304, b""),
        ("/greeting", {"Accept_Language": "it"}, 200, b'{"greeting": "buongiorno"}\n'),
        ("/moved", {}, 301, b""),
        ("/big", {}, 200, bytes(BIG)),
        ("/whoami", {"Authorization": "Bearer 12345"}, 200, b'{"token": "2345"}\n'),
        ("/whoami", {}, 200, b'{"token": "body"}\n'),
    ],
)
def test_the_answers_of_the_api(api: DemoOrigin, path: str, fields: dict[str, str], status: int, body: bytes) -> None:
    found = asked(api, path, **fields)
    assert (found[0], found[2]) == (status, body)
    head = asked(api, path, "HEAD", **fields)
    assert (head[0], head[2]) == (status, b"")
    assert api.asked[path.partition("?")[0]] == 2


def test_the_unsteady_answer_fails_later(api: DemoOrigin) -> None:
    assert [asked(api, "/unsteady")[0] for _ in range(3)] == [200, 503, 503]


def test_a_chat_is_streamed(api: DemoOrigin) -> None:
    status, fields, body = asked(api, "/chat", "POST", b'{"messages": [{"content": "hello"}]}')
    assert (status, fields["Transfer-Encoding"]) == (200, "chunked")
    assert body.endswith(b'data: {"word": "hello"}\n\ndata: [DONE]\n\n')
    assert asked(api, "/chat", "POST", b"nonsense")[0] == 400
    assert asked(api, "/chat")[0] == 404


@pytest.mark.usefixtures("interruptible")
def test_serve_until_interrupted() -> None:
    """A program of the manual's asks it while it runs; each request is told."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sansio_cache", "demo", "--serve", "--port"]
    with subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == f"http://127.0.0.1:{port} answers until Ctrl-C\n"
        with CachedSession("memory:") as session:
            url = f"http://127.0.0.1:{port}/items/1"
            assert [session.get(url).from_cache for _ in range(2)] == [False, True]
        taken = subprocess.run([*command, str(port)], capture_output=True, text=True, timeout=60, check=False)
        assert (taken.returncode, "--port" in taken.stderr) == (5, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read().strip() == "200 GET '/items/1'"


@pytest.mark.usefixtures("interruptible")
def test_serve_quietly_on_any_port() -> None:
    command = [sys.executable, "-m", "sansio_cache", "demo", "--serve", "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().split()[0]
        with CachedSession("memory:") as session:
            assert session.get(url).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read().strip() == ""
