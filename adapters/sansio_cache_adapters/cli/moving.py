"""Commands that move responses in and out: ``import``."""

from __future__ import annotations

import json
from typing import Any

import click

from sansio_cache_adapters.importing.importer import import_cache
from sansio_cache_adapters.importing.report import Report

from .app import cli
from .errors import Trouble, WrongUse
from .options import command, setting_options
from .output import emit, progress_of
from .place import Place, pass_place
from .secret import from_environment, from_file

__all__ = ["import_"]

_KINDS = ("requests-cache", "aiohttp-client-cache", "cachecontrol", "hishel")
_THEIRS = "SANSIO_CACHE_SOURCE_KEY"


@command(
    cli,
    "import",
    short_help="Take over another library's cache.",
    examples="""
import ~/.cache/http_cache.sqlite --cache ~/http.sqlite
import old_cache/ --kind requests-cache --dry-run
import old.sqlite --source-key-file old.key --secret-file http.secret --cache ~/http.sqlite
""",
)
@click.argument("source", type=click.Path(exists=True), metavar="FILE_OR_FOLDER")
@click.option("--kind", type=click.Choice(_KINDS), help="Which library wrote it; else that is found out.")
@click.option(
    "--source-key-file",
    metavar="FILE",
    help=f"A file with the key that the other library signed with; else {_THEIRS} holds it.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Store nothing, only count.")
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON.")
@setting_options
@pass_place
def import_(
    place: Place, source: str, kind: str | None, source_key_file: str | None, dry_run: bool, as_json: bool
) -> None:
    """Store what a cache of requests-cache, aiohttp-client-cache, CacheControl or hishel holds.

    Nothing in it is run, and nothing of it is changed. What cannot be taken over is counted by reason. An import that
    was broken off goes on where it was. A cache is made where there is none; with a secret it is signed.
    """
    key = _source_key(source_key_file)
    store, keywords = place.target()
    with progress_of("importing") as tell:
        report = import_cache(
            source, store, kind=kind, key=key, dry_run=dry_run, progress=tell, **keywords, **place.settings
        )
    tell_report(report, "would be imported" if dry_run else "imported", as_json=as_json)
    if not report.imported and report.total and set(report.skipped) != {"already-there"}:
        raise Trouble("nothing could be taken over", Trouble.FOUND)


def _source_key(file: str | None) -> Any:
    if file is not None:
        found = from_file(file)
        if len(found) != 1:
            raise WrongUse(f"--source-key-file takes a file of one key, and there are {len(found)} in it")
        return found[0]
    return from_environment(_THEIRS)


def tell_report(report: Report, done: str, *, as_json: bool) -> None:
    """Say how many were moved, and why the others were not."""
    if as_json:
        click.echo(json.dumps({"imported": report.imported, "skipped": report.skipped}, indent=1))
        return
    emit(f"{report.imported} {done}")
    for reason, count in sorted(report.skipped.items()):
        emit(f"{count} skipped: {reason}")
