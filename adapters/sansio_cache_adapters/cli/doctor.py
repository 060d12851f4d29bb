"""The command ``doctor``: whether a cache, and what it works with, is well."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from sansio_cache.errors import CacheError
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

from .app import cli
from .errors import Trouble
from .health import Finding, of_damage, of_file, of_locks, of_records, of_server, of_signing, of_sqlite, of_versions
from .options import command, setting_options
from .output import entry
from .place import PlaceOptions, exists, pass_place
from .text import plain

__all__ = ["doctor"]

_STYLES = {"ok": "green", "note": "", "warning": "yellow", "wrong": "bold red"}


@command(
    cli,
    "doctor",
    short_help="Whether all is well, and what to do.",
    examples="""
doctor --cache ~/http.sqlite
doctor --bodies --secret-file http.secret --json
""",
)
@click.option("--bodies", is_flag=True, help="Read and verify bodies, too: takes longer.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@setting_options
@pass_place
def doctor(place: PlaceOptions, bodies: bool, as_json: bool) -> None:
    """Look at versions, SQLite's known faults, permissions, locks, signatures, damage and bounds, and give advice.

    Only what is wrong makes the exit status 1; warnings and notes do not. Stored responses are not changed.
    """
    findings = list(_findings(place, bodies=bodies))
    if as_json:
        click.echo(json.dumps([each._asdict() for each in findings], indent=1))
    else:
        for each in findings:
            _show(each)
    wrong = [each for each in findings if each.level == "wrong"]
    if wrong:
        raise Trouble(f"{len(wrong)} wrong: {', '.join(each.name for each in wrong)}", Trouble.FOUND)


def _findings(place: PlaceOptions, *, bodies: bool) -> Iterator[Finding]:
    yield from of_versions()
    try:
        store = place.store()
        if isinstance(store, SQLiteStore):
            yield from of_sqlite()
        yield Finding("ok", "place", f"{type(store).__name__.lstrip('_')} at {store.location}")
        yield from _of_place(place, bodies=bodies)
    except click.ClickException as error:
        yield Finding("wrong", "place", error.message)
    except CacheError as error:
        yield Finding("wrong", "place", str(error))


def _of_place(place: PlaceOptions, *, bodies: bool) -> Iterator[Finding]:
    """All that concerns a place, as far as it can be opened."""
    store = place.store()
    # Before it is opened, which brings it to the modes that it should have.
    looked = list(of_file(store))
    if not exists(store):
        yield Finding("note", "place", "nothing is there yet", "a session makes it when it first stores something")
        return
    yield from looked
    opened = place.open(unverified=True)
    yield from of_signing(opened)
    yield from of_records(opened, bodies=bodies)
    yield from of_damage(opened.store)
    yield from of_locks(opened.store)
    yield from of_server(opened.store)


def _show(finding: Finding) -> None:
    entry(f"{finding.level:<8} {finding.name:<12} ", plain(finding.says), _STYLES[finding.level])
    if finding.advice:
        entry(f"{'':<22}→ ", plain(finding.advice))
