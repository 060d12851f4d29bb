"""``get``: a request through the cache, by either client."""

from __future__ import annotations

import gzip
import importlib.util
import socket
from pathlib import Path

import pytest
from command_line import Command
from local_origin import Origin, Reply, fresh

from sansio_cache_adapters.cli import fetching

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


@pytest.fixture(params=["requests", "httpx2"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The client that is installed."""
    wanted: str = request.param
    hide(monkeypatch, {"requests", "httpx2"} - {wanted})
    return wanted


def hide(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(fetching, "find_spec", lambda name: None if name in names else real(name))


@every_store
def test_get_stores_what_it_fetches(command: Command, origin: Origin, client: str) -> None:
    url = origin.on("/", fresh(b"hello"))
    for _ in range(2):
        assert command("get", url).raw == b"hello"
    assert origin.count() == 1
    assert [row["url"] for row in command("ls", "--json").json] == [url]


def test_get_offline(command: Command, origin: Origin, place: str, client: str) -> None:
    url = origin.on("/", fresh(b"hello", 0))
    ran = command("get", url, "--offline")
    assert (ran.status, Path(place).exists()) == (3, False)
    command("get", url)
    assert command("get", url, "--offline").raw == b"hello"
    ran = command("get", url + "?x", "--offline")
    assert (ran.status, "no stored response" in ran.err) == (1, True)
    assert origin.count() == 1


def test_get_refresh_and_force(command: Command, origin: Origin, client: str) -> None:
    url = origin.on("/", fresh(b"hello", etag='"1"'))
    command("get", url)
    command("get", url, "--refresh")
    assert origin.last().get("if-none-match") == '"1"'
    command("get", url, "--force-refresh")
    assert origin.last().get("if-none-match") is None
    assert origin.count() == 3


def test_get_only_if_cached(command: Command, origin: Origin, client: str) -> None:
    url = origin.on("/", fresh(b"hello"))
    ran = command("get", url, "--only-if-cached")
    assert (ran.status, origin.count()) == (1, 0)
    command("get", url)
    assert command("get", url, "--only-if-cached").raw == b"hello"


def test_get_with_time_tags_and_fields(command: Command, origin: Origin, client: str, tmp_path: Path) -> None:
    url = origin.on("/", Reply(b"hello"))
    ran = command("get", url, "--expire-after", "1h", "--tag", "mine", "-H", "Accept: x/y", "--verbose")
    assert "Cache-Status: sansio-cache;fwd=uri-miss" in ran.err
    assert origin.last().get("accept") == "x/y"
    [row] = command("ls", "--json").json
    assert (row["tags"], row["state"]) == (["mine"], "fresh")
    again = command("get", url, "-v", "--include", "-o", str(tmp_path / "body"))
    assert ";hit" in again.err
    assert again.lines[0] == "HTTP 200 OK"
    assert (tmp_path / "body").read_bytes() == b"hello"
    assert command("get", url, "--expire-after", "never", "--force-refresh").status == 0
    assert command("ls", "--json").json[0]["expires_at"] is None
    assert command("get", url, "--expire-after", "2020-01-01").status == 2


def test_get_decodes_or_not(command: Command, origin: Origin, client: str) -> None:
    url = origin.on("/", fresh(b"packed", coded=True))
    for _ in range(2):
        assert command("get", url).raw == b"packed"
        assert gzip.decompress(command("get", url, "--raw").raw) == b"packed"


def test_get_fail(command: Command, origin: Origin, client: str) -> None:
    url = origin.on("/", Reply(b"no", 404))
    assert command("get", url).raw == b"no"
    ran = command("get", url, "--fail")
    assert (ran.status, ran.raw) == (1, b"")


def test_get_where_the_network_fails(command: Command, origin: Origin, client: str) -> None:
    url = origin.on("/", fresh())
    origin.close()
    ran = command("get", url + "?token=s3cret", "--timeout", "5")
    assert (ran.status, "Traceback" in ran.err) == (5, False)
    assert "s3cret" not in ran.err


def test_get_of_a_body_that_breaks_off(command: Command, origin: Origin, client: str, tmp_path: Path) -> None:
    url = origin.on("/", Reply(b"half", length=8, framing="length", fields={"Connection": "close"}))
    origin.script("/", lambda seen, connection: connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"))
    ran = command("get", url, "-o", str(tmp_path / "part"))
    assert ran.status == 5
    assert not (tmp_path / "part").exists(), "a part is not taken for the whole"


@pytest.mark.parametrize("url", ["no-url", "http://", "ftp://127.0.0.1/"])
def test_get_of_what_is_no_url(command: Command, client: str, url: str) -> None:
    assert command("get", url).status in (2, 5)


def test_get_without_a_client(command: Command, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, {"requests", "httpx2"})
    ran = command("get", origin.url())
    assert (ran.status, "sansio-cache[cli,requests]" in ran.err) == (2, True)


def test_get_signed(command: Command, origin: Origin, key: str, client: str) -> None:
    url = origin.on("/", fresh(b"hello"))
    command.env["SANSIO_CACHE_SECRET"] = key
    command("get", url)
    assert command("verify").status == 0
    command.env["SANSIO_CACHE_SECRET"] = key[::-1]
    ran = command("get", url)
    assert (ran.status, ran.raw) == (4, b"")
    command.env["SANSIO_CACHE_SECRET"] = None
    assert command("get", url).status == 4


def test_a_network_that_fails_is_told_in_a_line_without_the_secrets_of_the_url(command: Command) -> None:
    """Neither pools nor retries, which are the client's own affair."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ran = command("get", f"http://127.0.0.1:{port}/x?token=abcdef")
    assert ran.status == 5
    assert ran.err.startswith(f"sansio-cache: http://127.0.0.1:{port}/x?token=REDACTED could not be fetched: ")
    assert "onnection refused" in ran.err
    assert "abcdef" not in ran.err
    assert "Max retries" not in ran.err
    assert len(ran.err.splitlines()) == 1
