"""``explain``: the decision that a session would take, which it then takes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from clock import Clock
from command_line import Command
from local_origin import Origin, fresh

from sansio_cache import CachedSession

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


@pytest.mark.once
@every_store
@pytest.mark.parametrize("name", ["one", "two", "packed", "big", "secret"])
def test_a_session_does_as_is_explained(
    command: Command, urls: dict[str, str], place: str, clock: Clock, name: str
) -> None:
    for seconds in (0, 100):
        clock.advance(seconds)
        found = command("explain", urls[name], "--json").json
        with CachedSession(place, clock=clock, read_only=True) as session:
            assert session.get(urls[name]).from_cache == (found["decision"] == "reuse")
    text = command("explain", urls[name])
    assert text.status == 0
    assert "RFC 9111 §4.2.1" in text.out
    assert "abcdef" not in text.out


@pytest.mark.parametrize(
    ("arguments", "decision"),
    [
        ([], "reuse"),
        (["--at", "2100-01-01"], "forward"),
        (["--at", "0s"], "reuse"),
        (["--header", "Cache-Control: no-cache"], "forward"),
        (["--refresh"], "forward"),
        (["--force-refresh"], "forward"),
        (["--only-if-cached"], "reuse"),
        (["--only-if-cached", "--at", "2100-01-01"], "refuse"),
        (["--method", "POST"], "bypass"),
        (["-H", "Authorization: Bearer x"], "forward"),
        (["--set", "expire_after=1", "--at", "2100-01-01"], "forward"),
        (["--set", "offline=true", "--at", "2100-01-01"], "reuse"),
    ],
    ids=" ".join,
)
def test_a_request_as_the_options_say(
    command: Command, urls: dict[str, str], arguments: list[str], decision: str
) -> None:
    assert command("explain", urls["one"], "--json", *arguments).json["decision"] == decision


def test_fields_from_a_file(command: Command, urls: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "fields"
    file.write_text("Authorization: Bearer s3cret\n\nAccept: x\n")
    ran = command("explain", urls["one"], "-H", f"@{file}")
    assert "made of the URL, authorization" in ran.out
    assert "s3cret" not in ran.out
    assert command("explain", urls["one"], "-H", f"@{file}.not").status == 2
    assert command("explain", urls["one"], "-H", "nonsense").status == 2
    assert command("explain", "nonsense").status == 2
    assert command("explain", "http://").status == 2


def test_nothing_is_fetched_or_changed(command: Command, urls: dict[str, str], origin: Origin, place: str) -> None:
    asked, before = origin.count(), Path(place).read_bytes()
    command("explain", urls["one"], "--refresh")
    assert origin.count() == asked
    assert Path(place).read_bytes() == before


def test_without_requests_the_request_is_plain(
    command: Command, origin: Origin, place: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = origin.on("/", fresh(b"x"))
    with CachedSession(place, clock=clock) as session:
        session.get(url)
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> object:
        if name.startswith("sansio_cache_adapters.requests"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(sys.modules["sansio_cache_adapters.cli.requests"], "import_module", without)
    ran = command("explain", url)
    assert "as a plain client sends it" in ran.out
    assert "→ reuse" in ran.out
