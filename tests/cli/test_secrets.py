"""Where a secret comes from, what a signed cache wants, and how a secret is changed."""

from __future__ import annotations

import os
import stat
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from clock import Clock
from command_line import Command, fill
from local_origin import Origin

from sansio_cache import CachedSession

pytestmark = pytest.mark.once

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)
NEW = "another secret of at least sixteen bytes"


@every_store
def test_a_signed_cache_wants_its_secret(
    command: Command, signed: dict[str, str], key: str, secret_file: Callable[..., str]
) -> None:
    ran = command("ls")
    assert ran.status == 4
    assert "SANSIO_CACHE_SECRET" in ran.err
    assert len(command("ls", "--secret-file", secret_file(key), "--json").json) == 6
    command.env["SANSIO_CACHE_SECRET"] = key
    assert {row["state"] for row in command("ls", "--json").json} == {"fresh"}
    assert command("verify").status == 0


@every_store
@pytest.mark.parametrize("name", ["ls", "stats", "du", "body", "verify", "purge", "resign", "rotate", "get"])
def test_a_wrong_secret_is_told_from_damage(
    command: Command, signed: dict[str, str], name: str, secret_file: Callable[..., str]
) -> None:
    """Nothing is listed, counted or removed as if all of it were forged; and it is not quietly nothing."""
    command.env["SANSIO_CACHE_SECRET"] = NEW
    more = {"body": [signed["one"]], "get": [signed["one"]], "rotate": ["--new-secret-file", secret_file("x" * 32)]}
    ran = command(name, *more.get(name, []))
    assert ran.status == 4
    assert "purge" not in ran.err
    assert name == "get" or "with another secret" in " ".join(ran.err.split())


def test_what_is_wrong_may_be_looked_at_all_the_same(command: Command, signed: dict[str, str]) -> None:
    command.env["SANSIO_CACHE_SECRET"] = NEW
    for more in ("--invalid", "--unverified"):
        assert {row["state"] for row in command("ls", more, "--json").json} == {"signature"}
    assert "cannot be used: signature" in command("show", signed["one"]).out


def test_looking_without_the_secret_is_asked_for(command: Command, signed: dict[str, str]) -> None:
    for name in ("ls", "stats", "du"):
        ran = command(name, "--unverified", "--json")
        assert ran.status == 0
        assert "nothing here is verified" in ran.err
    assert {row["state"] for row in command("ls", "--unverified", "--json").json} == {"fresh"}
    assert "not verified" in command("show", signed["one"], "--unverified").out
    assert command("body", signed["one"]).status == 4


def test_looking_does_not_sign(command: Command, urls: dict[str, str], place: str, key: str) -> None:
    command.env["SANSIO_CACHE_SECRET"] = key
    assert {row["state"] for row in command("ls", "--json").json} == {"unsigned"}
    with CachedSession(place) as session:
        assert len(session.cache.urls()) == 6, "a session without the secret still reads it"


def test_a_secret_for_what_is_not_signed_removes_nothing(
    command: Command, urls: dict[str, str], key: str, tmp_path: Path
) -> None:
    """With it all would be unusable; without it all of it is good."""
    command.env["SANSIO_CACHE_SECRET"] = key
    for arguments in (["verify"], ["purge", "--invalid"]):
        ran = command(*arguments)
        assert (ran.status, "leave the secret out" in ran.err) == (4, True)
    ran = command("export", str(tmp_path / "out.jsonl"))
    assert (ran.status, "none of 6" in ran.err) == (1, True)
    del command.env["SANSIO_CACHE_SECRET"]
    assert command("verify").status == 0


@pytest.mark.parametrize("option", ["--secret", "--secret-key", "--key", "--secret=", "--key="])
def test_a_secret_is_no_argument(command: Command, urls: dict[str, str], option: str) -> None:
    given = [f"{option}hunter2"] if option.endswith("=") else [option, "hunter2"]
    ran = command("ls", *given)
    assert ran.status == 2
    assert "never given as an argument" in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize(
    ("data", "said"), [(None, "cannot be read"), (b"", "holds no secret"), (b"x" * 100_000, "too large")]
)
def test_a_file_without_a_secret_is_told(
    command: Command, urls: dict[str, str], tmp_path: Path, data: bytes | None, said: str
) -> None:
    file = tmp_path / "mine-and-nobody-elses"
    if data is not None:
        file.write_bytes(data)
        file.chmod(0o600)
    ran = command("ls", "--secret-file", str(file))
    assert ran.status == 2
    assert said in ran.err
    assert file.name not in ran.err, "it may be the secret itself"


def test_a_file_that_others_can_read_is_told(
    command: Command, signed: dict[str, str], tmp_path: Path, key: str
) -> None:
    file = tmp_path / "open"
    file.write_text(key)
    file.chmod(0o644)
    ran = command("ls", "--secret-file", str(file))
    assert ran.status == 0
    assert "others may read the secret" in ran.err


def test_an_empty_variable_is_a_mistake(command: Command, urls: dict[str, str]) -> None:
    command.env["SANSIO_CACHE_SECRET"] = ""
    ran = command("ls")
    assert ran.status == 2
    assert "set and empty" in ran.err


def test_a_short_secret_is_warned_of(command: Command, urls: dict[str, str], secret_file: Callable[..., str]) -> None:
    ran = command("ls", "--secret-file", secret_file("short"))
    assert "warning: secret_key is shorter than 16 bytes" in ran.err


class Keyring(types.ModuleType):
    """The keyring's library, in memory."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str) -> str | None:
        if name == "broken":
            raise RuntimeError("no backend")
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        self.kept[service, name] = secret


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    made = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", made)
    return made


def test_the_keyring_keeps_a_secret(
    command: Command, origin: Origin, place: str, clock: Clock, keyring: Keyring
) -> None:
    ran = command("keygen", "--keyring", "http")
    assert (ran.status, ran.out) == (0, "")
    [(name, secret)] = keyring.kept.items()
    assert name == ("sansio-cache", "http")
    assert len(secret) == 64
    assert command("keygen", "--keyring", "http").status == 2, "it is not written over"
    fill(place, origin, clock, secret_key=secret)
    assert command("verify", "--keyring", "http").status == 0
    assert command("verify", "--keyring", "other").status == 4
    assert command("keygen", "--keyring", "broken").status == 4
    broken = command("verify", "--keyring", "broken")
    assert (broken.status, "no backend" in broken.err) == (4, True)
    assert command("verify", "--keyring", "http", "--secret-file", "x").status == 2


def test_without_the_keyrings_library(command: Command, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    ran = command("ls", "--keyring", "http")
    assert (ran.status, "pip install keyring" in ran.err) == (2, True)


def test_keygen(clock: Clock, tmp_path: Path) -> None:
    command = Command(None, clock)
    one, two = command("keygen").out.strip(), command("keygen").out.strip()
    assert len(one) == 64
    assert one != two
    assert len(command("keygen", "--bytes", "16").out.strip()) == 32
    assert command("keygen", "--bytes", "8").status == 2
    file = tmp_path / "secret"
    assert command("keygen", "--output", str(file)).out == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name == "nt"
    assert len(file.read_text().strip()) == 64
    assert command("keygen", "-o", str(file)).status == 2
    assert command("keygen", "-o", str(tmp_path / "no" / "folder")).status == 2


@every_store
def test_rotate_changes_the_secret(
    command: Command, signed: dict[str, str], key: str, place: str, clock: Clock, secret_file: Callable[..., str]
) -> None:
    old, new = secret_file(key), secret_file(NEW)
    ran = command("rotate", "--secret-file", old, "--new-secret-file", new)
    assert ran.status == 0
    assert "6 signed with the new secret" in ran.err
    assert command("verify", "--secret-file", new).status == 0
    assert len(command("verify", "--secret-file", old).lines) == 6
    with CachedSession(place, secret_key=NEW, clock=clock) as session:
        assert session.get(signed["one"]).from_cache


def test_rotate_wants_two_secrets(
    command: Command, signed: dict[str, str], key: str, secret_file: Callable[..., str]
) -> None:
    old, both = secret_file(key), secret_file(key, NEW)
    assert command("rotate").status == 4
    assert command("rotate", "--secret-file", old).status == 2
    assert command("rotate", "--secret-file", old, "--new-secret-file", old).status == 2
    assert command("rotate", "--secret-file", old, "--new-secret-file", both).status == 2
    assert command("rotate", "--secret-file", old, "--new-secret-file", both, "--new-keyring", "x").status == 2
    command.env["SANSIO_CACHE_NEW_SECRET"] = NEW
    assert command("rotate", "--secret-file", old).status == 0
    assert command("verify", "--secret-file", both).status == 0
    wrong = secret_file("a secret that somebody has made up")
    command.env["SANSIO_CACHE_NEW_SECRET"] = key
    ran = command("rotate", "--secret-file", wrong)
    assert (ran.status, "with another secret" in ran.err) == (4, True)


@every_store
def test_resign_brings_old_records_up(
    command: Command, signed: dict[str, str], key: str, secret_file: Callable[..., str]
) -> None:
    both = secret_file(key, NEW)
    assert "6 signed anew" in command("resign", "--secret-file", both).err
    assert "0 signed anew" in command("resign", "--secret-file", both).err
    new = secret_file(NEW)
    assert command("verify", "--secret-file", new).status == 0
    assert "6 are no longer signed" in command("resign", "--unsign", "--secret-file", new).err
    assert command("verify").status == 0


@every_store
def test_resign_begins_to_sign(
    command: Command, urls: dict[str, str], key: str, secret_file: Callable[..., str], place: str, clock: Clock
) -> None:
    secret = "--secret-file", secret_file(key)
    refused = command("resign", *secret)
    assert (refused.status, "--sign-unsigned begins to" in refused.err) == (2, True)
    assert command("ls").status == 0, "it is not marked"
    assert "6 signed" in command("resign", "--sign-unsigned", *secret).err
    assert command("verify", *secret).status == 0
    assert command("ls").status == 4
    with CachedSession(place, secret_key=key, clock=clock) as session:
        assert session.get(urls["big"]).from_cache
    assert "0 signed" in command("resign", "--sign-unsigned", *secret).err
    assert command("resign", "--sign-unsigned", "--unsign", *secret).status == 2


def test_resign_needs_something_to_sign(command: Command, urls: dict[str, str]) -> None:
    assert command("resign").status == 4
    assert command("resign", "--sign-unsigned").status == 4


def test_clear_needs_no_secret(command: Command, signed: dict[str, str]) -> None:
    assert command("clear", "--yes").status == 0
    assert command("ls", "--json").json == []


def test_delete_of_a_url_needs_no_secret(command: Command, signed: dict[str, str]) -> None:
    assert command("delete", signed["one"]).status == 0
    assert command("delete", "--tag", "small").status == 4
