"""How a command ends when it cannot do what was asked, and with which exit status."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import IO, Any, ClassVar

import click

from .text import plain_block

__all__ = ["STATUSES", "Trouble", "WrongUse"]

STATUSES = {
    0: "all was done, and all is well",
    1: "something wrong was found, or nothing of what was asked for",
    2: "the command was given wrongly",
    3: "trouble with the store: not there, not ours, locked, damaged",
    4: "the secret is missing or wrong",
    5: "the network failed",
    6: "the output could not be written",
    130: "interrupted by the keyboard",
    141: "the reader of the output went away",
}
"""Exit statuses, and what they mean."""


class Trouble(click.ClickException):
    """An end with a message and an exit status of :data:`STATUSES`."""

    FOUND: ClassVar = 1
    STORE: ClassVar = 3
    SECRET: ClassVar = 4
    NETWORK: ClassVar = 5
    OUTPUT: ClassVar = 6

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = status  # click has one for each class

    def show(self, file: IO[Any] | None = None) -> None:
        text = f"sansio-cache: {plain_block(self.message)}"
        if sys.stderr.isatty():
            width = max(shutil.get_terminal_size().columns, 40)
            text = "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in text.splitlines())
        click.echo(text, file=file, err=True)


class WrongUse(Trouble):
    """The command was given wrongly."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 2)
