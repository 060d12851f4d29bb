"""Completion, in the shells themselves, begun as the manual says; and what is offered to them."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sansio_cache import CachedSession
from sansio_cache_adapters.cli.app import COMPLETES
from sansio_cache_adapters.cli.demo.origin import running

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"
SHELLS = {"bash": ["bash", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}
MOST = 60.0
"""Seconds; each word that is completed is a process of Python's."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the command, a cache's file, and what the manual's lines have made of it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "bin").mkdir()
    program = folder / "bin" / "sansio-cache"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sansio_cache "$@"\n')
    program.chmod(0o755)
    (folder / "mine.sqlite").touch()
    with running() as origin, CachedSession(folder / "http.sqlite") as session:
        for path in ("/items/1?page=2&all=yes", "/items/1?token=abc", "/tagged"):
            session.get(origin.url + path)
            session.cache.copy_to(folder / "signed.sqlite", secret_key="a secret of at least 16 bytes")
    section = PAGE.read_text("utf-8").partition("## `completion`")[2].partition("\n## ")[0]
    lines = re.findall(r"^\$ (.*)$", section, re.MULTILINE)
    assert len(lines) == 5
    done = subprocess.run(["sh", "-e"], input="\n".join(lines), text=True, env=environment(folder), timeout=60)
    assert done.returncode == 0
    return folder


def environment(home: Path) -> dict[str, str]:
    path = os.pathsep.join((str(home / "bin"), os.environ["PATH"]))
    return {"HOME": str(home), "PATH": path, "TERM": "dumb", "PS1": "$ ", "LANG": "C.UTF-8"}


@contextmanager
def typing(shell: str, home: Path) -> Iterator[int]:
    """A shell at a terminal; the descriptor of its keyboard and screen."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(home)
        os.execvpe(SHELLS[shell][0], SHELLS[shell], environment(home))
    try:
        yield terminal
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def is_shown(terminal: int, keys: str, expected: str) -> bool:
    """Whether something comes after some keys, tabs being pressed again and again."""
    os.write(terminal, keys.encode())
    shown, end = b"", time.monotonic() + MOST
    while time.monotonic() < end:
        os.write(terminal, b"\t")
        while select.select([terminal], [], [], 2.0)[0]:
            shown += os.read(terminal, 65536)
            if expected in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode("utf-8", "replace")):
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("sansio-cache veri", "sansio-cache verify"),
        ("sansio-cache ls --unv", "sansio-cache ls --unverified"),
        ("sansio-cache completion z", "sansio-cache completion zsh"),
        ("sansio-cache ls --cache mi", "mine.sqlite"),
        ("sansio-cache show --cache http.sqlite h", "http://127.0.0.1:"),
    ],
)
def test_a_shell_completes(shell: str, keys: str, expected: str, home: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    with typing(shell, home) as terminal:
        assert is_shown(terminal, keys, expected)


@pytest.mark.slow
def test_bash_completes_a_url_with_everything_in_it_that_bash_breaks_at(home: Path) -> None:
    """A colon, a question mark, an ampersand and an equals sign: what is run then is the stored URL."""
    with typing("bash", home) as terminal:
        assert is_shown(terminal, "sansio-cache delete --cache http.sqlite 'htt", "'http://127.0.0.1:")
    with typing("bash", home) as terminal:
        assert is_shown(terminal, "sansio-cache body --cache http.sqlite http://127", "127.0.0.1:")
        assert is_shown(terminal, "items/1\\?p", "yes")
        os.write(terminal, b"\n")
        assert is_shown(terminal, "", '{"item": "1"}')


def completed(home: Path, line: str) -> list[str]:
    """What is offered to bash."""
    asked = {**environment(home), "COMP_LINE": line, COMPLETES: "bash_complete"}
    done = subprocess.run(["sansio-cache"], env=asked, cwd=home, capture_output=True, text=True, timeout=50, check=True)
    assert not done.stderr
    return [each.partition(",")[2] for each in done.stdout.splitlines() if each]


def test_stored_urls_are_offered_as_they_can_be_asked_for(home: Path) -> None:
    shown = completed(home, "sansio-cache show --cache http.sqlite http")
    assert [url.partition("/")[2].partition("/")[2].partition("/")[2] for url in shown] == [
        "items/1?page=2&all=yes",
        "items/1?token=REDACTED",
        "tagged",
    ]
    asked = completed(home, "sansio-cache explain --cache http.sqlite http")
    assert asked == [shown[0], shown[2]], "another URL would be asked for with what hides a secret"
    assert completed(home, f"sansio-cache show --cache http.sqlite {shown[2][:-2]}") == [shown[2]]


@pytest.mark.parametrize("cache", ["signed.sqlite", "mine.sqlite", "none.sqlite", "redis://127.0.0.1:1", "ftp://x"])
def test_nothing_is_offered_and_nothing_said_where_a_store_cannot_be_looked_into(home: Path, cache: str) -> None:
    assert completed(home, f"sansio-cache show --cache {cache} h") == []
    assert not (home / "none.sqlite").exists()


def test_another_shell_is_refused(home: Path) -> None:
    done = subprocess.run(
        ["sansio-cache", "completion", "tcsh"], env=environment(home), capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 2
    assert "bash" in done.stderr
