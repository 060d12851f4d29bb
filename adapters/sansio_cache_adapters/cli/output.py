"""Where a command writes: a terminal gets tables, colours and progress bars, a pipe plain lines."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

__all__ = ["bar", "emit", "entry", "note", "on_terminal", "progress", "progress_of", "table", "warn_unverified"]

_WIDEST_BAR: Final = 30
_ROOM: Final = 30
"""Columns that the last cell of a table wants, to stand beside the others."""
_NARROWEST: Final = 16
"""Columns of a terminal below which a text is not folded any more."""
Tick = Callable[[], None]
Tell = Callable[[int, int], object]


def on_terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def emit(line: str = "", style: str = "") -> None:
    """A line of the answer. It holds nothing that a terminal would obey: see :mod:`.text`."""
    if style and on_terminal():
        Console().print(Text(line, style), soft_wrap=True)
    else:
        click.echo(line)


def entry(head: str, text: str, style: str = "") -> None:
    """A line that a narrow terminal gets as several, each below the first word of the text."""
    if on_terminal():
        width = max(shutil.get_terminal_size().columns - len(head), _NARROWEST)
        text = f"\n{' ' * len(head)}".join(textwrap.wrap(text, width, break_on_hyphens=False) or [""])
    emit(head + text, style)


def note(line: str) -> None:
    """A line beside the answer, for the person who runs the command."""
    if sys.stderr.isatty():
        width = max(shutil.get_terminal_size().columns, _NARROWEST)
        line = "\n".join(textwrap.fill(each, width, break_on_hyphens=False) for each in line.split("\n"))
    click.echo(line, err=True)


def warn_unverified(unverified: bool) -> None:
    """Say that the following output was not verified."""
    if unverified:
        note("warning: the cache is signed, and without its secret nothing here is verified")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), last: int = -1) -> None:
    """Rows: on a terminal as a table that fits it, in a pipe one line a row, tabs between, without a heading.

    :param right: columns of numbers.
    :param last: the column that may fold.
    """
    if not on_terminal():
        for row in rows:
            click.echo("\t".join(row))
        return
    shown = [tuple(row) for row in rows]
    room = shutil.get_terminal_size().columns - sum(_widths(columns, shown)[:-1]) - 2 * (len(columns) - 1)
    if room < _ROOM and last == -1:
        _stacked(columns, shown, right)
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(columns):
        folds = number == last % len(columns)
        justify: Literal["left", "right"] = "right" if name in right else "left"
        drawn.add_column(name, justify=justify, no_wrap=not folds, overflow="fold" if folds else "ellipsis")
    for row in shown:
        drawn.add_row(*map(Text, row))
    Console().print(drawn)


def _widths(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    return [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]


def _stacked(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    """Rows where there is no room beside each other: the last cell gets lines of its own."""
    widths = _widths(columns, rows)
    for row in rows:
        cells = zip(columns, row, widths, strict=True)
        aligned = [cell.rjust(width) if name in right else cell.ljust(width) for name, cell, width in cells][:-1]
        emit("  ".join(aligned).rstrip(), "bold")
        emit(f"  {row[-1]}")


def bar(share: float, beside: int = 0) -> str:
    """A bar for a share between 0 and 1; anything above nothing is seen.

    :param beside: columns that are taken by what stands before it.
    """
    blocks = _blocks()
    widest = _WIDEST_BAR
    if on_terminal():
        widest = max(min(shutil.get_terminal_size().columns - beside, _WIDEST_BAR), 1)
    steps = round(min(max(share, 0.0), 1.0) * widest * len(blocks))
    whole, part = divmod(max(steps, 1 if share > 0 else 0), len(blocks))
    return blocks[-1] * whole + (blocks[part - 1] if part else "")


def _blocks() -> str:
    try:
        "▏█".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "▏▎▍▌▋▊▉█"


@contextmanager
def progress(label: str, total: int) -> Generator[Tick]:
    """A function to be called for each step of long work; a terminal shows a bar, anything else nothing."""
    with progress_of(label) as tell:
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            tell(done, total)

        yield tick


@contextmanager
def progress_of(label: str) -> Generator[Tell]:
    """A function to be told how many steps of long work are done, and of how many; as :func:`progress`."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=max(done, total))
