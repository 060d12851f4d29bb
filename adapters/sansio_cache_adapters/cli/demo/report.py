"""Expected and actual results, in tables of eighty columns."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sansio_cache.errors import BadSignature

__all__ = ["DemoReport"]

_WIDTH = 80


class DemoReport:
    """Tables of what was expected and what was seen.

    :ivar failures: the checks that failed.
    :ivar checks: how many rows there were.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.failures: list[str] = []
        self.checks = 0
        self._console = Console(width=_WIDTH, highlight=False) if console is None else console
        self._table = Table()

    def say(self, text: str = "", style: str = "") -> None:
        """A paragraph."""
        self._console.print(Text(text, style))

    def begin(self, title: str, look: str, *columns: str) -> None:
        """Begin a table.

        :param look: what to look at.
        """
        self.say()
        self.say(title, "bold")
        self.say(look)
        self._table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False)
        for number, name in enumerate(columns):
            last = number == len(columns) - 1
            self._table.add_column(name, no_wrap=not last, ratio=1 if last else None, overflow="fold")

    def row(self, ok: bool, *cells: str) -> None:
        """Add a row, and remember it if it is not as it should be."""
        self.checks += 1
        if not ok:
            self.failures.append(" | ".join(cells))
        last = Text(cells[-1]) if ok else Text(f"NOT AS EXPECTED: {cells[-1]}", "bold red")
        self._table.add_row(*map(Text, cells[:-1]), last)

    def end(self) -> None:
        """Show the table."""
        self._console.print(self._table)

    def request(self, path: str, expected: str, response: object, began: float) -> None:
        """Add a row for a response of any of the clients."""
        from_cache, revalidated = getattr(response, "from_cache"), getattr(response, "revalidated")  # noqa: B009
        found = "validated" if revalidated else "hit" if from_cache else "miss"
        took = f"{(time.perf_counter() - began) * 1000:.1f} ms"
        said = str(getattr(response, "cache_status")).removeprefix("sansio-cache;")  # noqa: B009
        self.row(found == expected, path, found, took, said.replace(";", " "))

    def expect(self, what: str, expected: str, act: Callable[[], str]) -> None:
        """Add a row for a deed and its outcome."""
        try:
            found = act()
        except BadSignature as error:
            found = f"BadSignature ({error.reason})"
        self.row(found == expected, what, found)
