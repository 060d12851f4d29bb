"""The command as a process of its own: exit statuses, pipes, signals, a terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import fill
from local_origin import Origin, fresh

from sansio_cache import CachedSession
from sansio_cache_adapters.cli.errors import STATUSES

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]  # each is many processes, each of which loads a client or two
COMMAND = [sys.executable, "-W", "error", "-m", "sansio_cache"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SANSIO_CACHE")}
    return {**kept, "PYTHONWARNINGS": "error", **more}


def ran(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=50, env=environment(**more), check=False
    )


@pytest.fixture
def many(place: str, origin: Origin) -> str:
    """A cache with more than a pipe holds."""
    with CachedSession(place) as session:
        for number in range(60):
            session.get(origin.on("/" + "x" * 2000 + str(number), fresh(b"x")))
    return place


def test_statuses(place: str, origin: Origin, tmp_path: Path) -> None:
    urls = fill(place, origin, time.time)
    for status, arguments in (
        (0, ["ls", "--cache", place]),
        (0, ["--cache", place, "ls"]),
        (0, ["--version"]),
        (0, ["--help"]),
        (1, ["show", urls["one"] + "x", "--cache", place]),
        (2, ["ls", "--no-such-option"]),
        (2, ["no-such-command"]),
        (2, ["ls", "--cache", "memory:"]),
        (2, ["ls", "--cache", "http://example.org/"]),
        (3, ["ls", "--cache", str(tmp_path / "nothing")]),
        (3, ["ls", "--cache", __file__]),
        (3, ["ls", "--cache", f"file://{__file__}"]),
        (3, ["ls", "--cache", "redis://127.0.0.1:1"]),
    ):
        done = ran(*arguments)
        assert done.returncode == status, (arguments, done)
        assert "Traceback" not in done.stderr
        assert status in STATUSES
    assert ran("du", SANSIO_CACHE=place).stdout == ran("du", "--cache", place).stdout
    assert ran("ls", "--cache", "sqlite:///" + place.lstrip("/")).returncode == 0
    home = ran("ls", "--cache", "~/" + Path(place).name, HOME=str(Path(place).parent))
    assert home.returncode == 0


def test_a_reader_that_goes_away_is_no_error(many: str) -> None:
    """``| head``: it ends quietly."""
    for arguments in (["ls"], ["ls", "--json"], ["ls", "--csv"]):
        with subprocess.Popen(
            [*COMMAND, *arguments, "--cache", many], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(30) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_told(place: str, origin: Origin) -> None:
    urls = fill(place, origin, time.time)
    for arguments in (["ls"], ["ls", "--json"], ["body", urls["big"]], ["body", urls["one"]], ["export", "-"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*COMMAND, *arguments, "--cache", place],
                stdout=full,
                stderr=subprocess.PIPE,
                env=environment(),
                check=False,
            )
        assert done.returncode == 6, arguments
        assert done.stderr.startswith(b"sansio-cache: the output cannot be written"), done.stderr


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it(place: str, origin: Origin, tmp_path: Path) -> None:
    release = tmp_path / "go"
    url = origin.url("/")

    def hang(*_: object) -> None:
        release.touch()
        time.sleep(10)

    origin.script("/", hang)
    with subprocess.Popen(
        [*COMMAND, "get", url, "--cache", place], stderr=subprocess.PIPE, env=environment()
    ) as process:
        end = time.monotonic() + 20
        while not release.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(20) == 130


LOADING = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from sansio_cache_adapters.cli import main
sys.exit(main(["verify", "--cache", "none.sqlite"]))
"""


@pytest.mark.parametrize("module", ["rich", "sansio_cache_adapters.cli.checking"])
def test_an_interrupt_while_the_command_loads_is_no_traceback(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADING, module], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def on_terminal(*arguments: str, columns: int = 80) -> tuple[int, str]:
    """What a command shows on a terminal, standard error included."""
    master, slave = pty.openpty()
    size = {"COLUMNS": str(columns), "LINES": "40", "TERM": "xterm"}
    process = subprocess.Popen([*COMMAND, *arguments], stdout=slave, stderr=slave, stdin=slave, env=environment(**size))
    os.close(slave)
    data = b""
    while True:
        try:
            read = os.read(master, 65536)
        except OSError:
            break
        if not read:
            break
        data += read
    os.close(master)
    return process.wait(30), data.decode()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_gets_a_table_that_fits(place: str, origin: Origin, columns: int) -> None:
    urls = fill(place, origin, time.time)
    with CachedSession(place) as session:
        session.get(origin.on("/" + "long/" * 50, fresh()))
    for name in ("ls", "stats", "du", "verify"):
        status, shown = on_terminal(name, "--cache", place, columns=columns)
        assert status == 0
        # A bar is wiped out before what comes after it. The path of a cache is as long as it is.
        lines = [line for line in re.split(r"[\r\n]|\x1b\[2K", shown) if place not in strip(line)]
        # In a narrow one a URL has lines of its own, to be copied as they are.
        lines = [line for line in lines if columns > 40 or "http://" not in line]
        longest = max(lines, key=lambda line: len(strip(line)))
        assert len(strip(longest)) <= columns, (name, longest)
    _, shown = on_terminal("ls", "--cache", place, columns=columns)
    assert "\x1b[" in shown, "a heading stands out"
    assert urls["two"] in strip(shown)
    assert "7 responses" in shown


def test_a_terminal_gets_tables_of_what_is_wrong_and_of_what_would_go(
    place: str, origin: Origin, secret_file: Callable[..., str]
) -> None:
    """No line is mixed with a bar, and no URL runs into what is said of it."""
    fill(place, origin, time.time, secret_key="the secret of the program")
    other = secret_file("another secret than that one")
    status, shown = on_terminal("verify", "--cache", place, "--secret-file", other, columns=110)
    assert status == 4
    assert re.search(r"^signature +signed by no secret that was given +http://", strip(shown), re.MULTILINE)
    _, shown = on_terminal("delete", "--cache", place, "--unverified", "--dry-run", "--host", "*")
    lines = [strip(line) for line in re.split(r"[\r\n]+|\x1b\[2K", shown)]
    assert len([line for line in lines if re.match(r"(fresh|stale) +http://", line)]) == 6
    assert not any("looking" in line and "http" in line for line in lines)


def strip(text: str) -> str:
    """A text without escape codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_no_colours_where_nobody_wants_them(place: str, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(place, origin, time.time)
    monkeypatch.setenv("NO_COLOR", "1")
    _, shown = on_terminal("stats", "--cache", place)
    assert "\x1b[3" not in shown


def test_a_terminal_gets_no_binary_body(place: str, origin: Origin) -> None:
    urls = fill(place, origin, time.time)
    with CachedSession(place) as session:
        evil = origin.on("/evil", fresh(b"before \x1b]0;owned\x07 after\r\nnext\n"))
        session.get(evil)
    status, shown = on_terminal("body", urls["big"], "--cache", place)
    assert status == 2
    assert "would upset the terminal" in " ".join(shown.split())
    status, shown = on_terminal("body", evil, "--cache", place)
    assert status == 0
    assert "\x1b" not in shown
    assert "before \\x1b]0;owned\\x07 after" in shown
