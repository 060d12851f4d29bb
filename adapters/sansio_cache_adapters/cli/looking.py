"""The command ``ls``: stored responses, for people, for spreadsheets, for programs, for Datasette."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from .app import cli
from .errors import WrongUse
from .options import command, filter_options, setting_options, unverified_option
from .output import note, on_terminal, table, warn_unverified
from .place import OpenCache, PlaceOptions, pass_place
from .records import SORTS, FoundRecord, ShownRow, Wanted, check_found, found_of
from .text import plain
from .units import age_text, size_text

__all__ = ["ls"]

_COLUMNS: Final = ("status", "state", "age", "left", "size", "method", "URL")
_FIELDS: Final = ("url", "method", "status", "state", "size", "stored_at", "expires_at", "tags", "key")


@command(
    cli,
    "ls",
    short_help="List what is stored.",
    examples="""
ls --cache ~/http.sqlite
ls 'https://api.example.com/*' --stale --sort size --reverse
ls --status 4xx --older-than 7d --json
ls --cache redis://localhost --csv > cache.csv
ls --sqlite look.sqlite && datasette look.sqlite
""",
)
@click.argument("globs", nargs=-1, metavar="[URL]...")
@filter_options
@click.option("--sort", type=click.Choice(list(SORTS)), default="url", show_default=True, help="By what.")
@click.option("-r", "--reverse", is_flag=True, help="The other way round.")
@click.option("-n", "--limit", type=click.IntRange(0), metavar="COUNT", help="So many at most.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, with a heading.")
@click.option(
    "--sqlite", "database", type=click.Path(dir_okay=False), help="Into the table responses of a new SQLite file."
)
@unverified_option
@setting_options
@pass_place
def ls(
    place: PlaceOptions,
    globs: tuple[str, ...],
    wanted: Wanted,
    sort: str,
    reverse: bool,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    database: str | None,
    unverified: bool,
) -> None:
    """List what is stored.

    URL is the beginning of one, or a pattern with *; the scheme may be left out. Without --json or --csv a pipe gets a
    line for each response: status, state, age, time to live, size, method and URL, with tabs between. Where URLs or
    options say which responses and there is none, the exit status is 1.
    """
    if as_json + as_csv + (database is not None) > 1:
        raise WrongUse("give one of --json, --csv and --sqlite")
    _check_globs(globs)
    opened = place.open(unverified=unverified, checks=not wanted.invalid)
    warn_unverified(opened.unverified)
    wanted = wanted.with_urls(globs)
    found = list(_sorted(found_of(opened, wanted), sort, reverse=reverse, limit=limit))
    if as_json:
        _print_json(found)
    elif as_csv:
        _print_csv(found)
    elif database is not None:
        _save(found, database)
    elif found:
        _print(found, opened)
    if limit != 0:
        check_found(len(found), wanted, opened)


def _check_globs(globs: Sequence[str]) -> None:
    for each in globs:
        if "://" not in each and Path(each).expanduser().exists():
            raise WrongUse(f"{each} is a file: to look into it say --cache {each}")


def _sorted(found: Iterator[FoundRecord], sort: str, *, reverse: bool, limit: int | None) -> Iterator[ShownRow]:
    # Without what was opened: there may be many.
    return islice(sorted((each.row for each in found), key=SORTS[sort], reverse=reverse), limit)


def _print(shown: Sequence[ShownRow], opened: OpenCache) -> None:
    if not on_terminal():
        table(_COLUMNS, (_cells(row, opened.now, str(row.size)) for row in shown))
        return
    columns: tuple[str, ...] = _COLUMNS
    cells = [_cells(row, opened.now, size_text(row.size)) for row in shown]
    if all(row.method == "GET" for row in shown):
        columns, cells = (*_COLUMNS[:-2], _COLUMNS[-1]), [(*each[:-2], each[-1]) for each in cells]
    table(columns, cells, right=("age", "left", "size"))
    note(f"{len(shown)} response{'' if len(shown) == 1 else 's'}, {size_text(sum(row.size for row in shown))}")


def _cells(row: ShownRow, now: float, size: str) -> tuple[str, ...]:
    age = age_text(max(now - row.stored_at, 0.0))
    left = age_text(row.expires_at - now) if row.state == "fresh" else ""
    return str(row.status), row.state, age, left, size, row.method, row.url


def _print_json(found: Iterable[ShownRow]) -> None:
    click.echo("[", nl=False)
    for number, row in enumerate(found):
        click.echo(f"{',' if number else ''}\n {json.dumps(row.as_json())}", nl=False)
    click.echo("\n]")


def _print_csv(found: Iterable[ShownRow]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_FIELDS)
    for row in found:
        values = {**row.as_json(), "tags": " ".join(row.tags)}
        writer.writerow([_cell(values[name]) for name in _FIELDS])


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    return f"'{plain(value)}" if value[:1] in tuple("=+-@\t\r") else plain(value)


def _save(found: Iterable[ShownRow], path: str) -> None:
    """Into a new database that Datasette and sqlite-utils show."""
    from sqlite_utils import Database

    if Path(path).exists():
        raise WrongUse(f"{path} is there already: --sqlite makes a new file")
    database = Database(path)
    try:
        made: Any = database["responses"]
        columns = {"url": str, "method": str, "status": int, "state": str, "size": int}
        made.create({**columns, "stored_at": str, "expires_at": str, "tags": str, "key": str})
        made.insert_all({**row.as_json(), "tags": json.dumps(row.tags)} for row in found)
        note(f"{made.count} rows in the table responses of {path}")
    finally:
        database.close()
