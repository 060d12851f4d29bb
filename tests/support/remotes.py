"""Clients in processes of their own, each with a session on a store that it shares with others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Got", "Remote", "ask_all"]

SCRIPT = str(Path(__file__).with_name("remote_client.py"))
LONGEST = 90.0


class Got(NamedTuple):
    """What a client got for a URL, and how many seconds it took."""

    from_cache: bool
    body: str
    seconds: float


class Remote:
    """A process with a session of requests, aiohttp or trio."""

    def __init__(self, client: str) -> None:
        self.client = client
        quiet = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment = quiet | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, client], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.waited_for = 1  # it says when it is there

    def tell(self, verb: str, *arguments: Any, **settings: Any) -> None:
        """Send a command without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([verb, arguments, settings]) + "\n")
        self.process.stdin.flush()
        self.waited_for += 1

    def answer(self) -> Any:
        """The answer to the last command, once it is there."""
        assert self.process.stdout is not None
        answer: Any = None
        while self.waited_for:
            # A process that hangs is a failure, not a test run that never ends.
            too_long = threading.Timer(LONGEST, self.process.kill)
            too_long.start()
            line = self.process.stdout.readline()
            too_long.cancel()
            assert line, f"the process of {self.client} has ended, or was silent for {LONGEST} s"
            answer = json.loads(line)
            self.waited_for -= 1
            assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def do(self, verb: str, *arguments: Any, **settings: Any) -> Any:
        """Send a command; its answer."""
        self.tell(verb, *arguments, **settings)
        return self.answer()

    def got(self) -> list[Got]:
        """What the last ``get`` brought."""
        return [Got(*each) for each in self.answer()]

    def get(self, *urls: str) -> list[Got]:
        """Ask for URLs, all at the same time."""
        self.tell("get", urls)
        return self.got()

    def kill(self) -> None:
        """``kill -9``, whatever it is doing."""
        with self.process:
            self.process.kill()

    def end(self) -> None:
        """Let it close its session and end."""
        if self.process.poll() is not None:
            self.kill()
            return
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.process:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise


def ask_all(remotes: list[Remote], *urls: str, **settings: Any) -> list[Got]:
    """What several processes get that ask at the same moment."""
    for each in remotes:
        each.tell("get", urls, **settings)
    return [got for each in remotes for got in each.got()]
