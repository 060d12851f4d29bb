"""Commands that move responses in and out: ``import``, ``export`` and ``load``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, Any

import click

from sansio_cache_adapters.importing.exporting import export_cache
from sansio_cache_adapters.importing.importer import import_cache
from sansio_cache_adapters.importing.loading import load_cache
from sansio_cache_adapters.importing.report import Report
from sansio_cache_adapters.importing.sources import Kind
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES

from .app import cli
from .errors import Trouble, WrongUse
from .options import command, setting_options
from .output import emit, note, on_terminal, progress_of
from .place import PlaceOptions, pass_place
from .secret import from_environment, from_file

__all__ = ["export", "import_", "load"]

_KINDS = ("requests-cache", "aiohttp-client-cache", "cachecontrol", "hishel")
_MEANS = {
    "already-there": "the cache has one that is as new",
    "superseded": "there is a newer one to the same request",
    "redacted": "what was asked for is not kept whole there",
    "request-body-unknown": "what was sent is not kept there",
    "url-unknown": "the URL is not kept there: see --urls",
    "bad-signature": "the key does not verify it",
    "key-required": "it is signed: give its key by --source-key-file",
    "unsigned": "a key was given, and it is not signed",
    "not-data": "to read it one would have to run it",
    "damaged": "it cannot be read",
    "incomplete": "its body is not whole",
    "too-large": "more than is kept",
    "needs-library": "pip install pyyaml",
    "asker-unknown": "it may be for one user alone, and whose is not kept there",
    "removed": "the other cache has given it up",
    "no-file": "a link or a folder lies in its place",
    "bound-to-its-store": "load it into a cache that is new: here no session would find it",
    "not-http": "its URL is none of HTTP",
    "no-store": "the origin forbids to store it",
}
_THEIRS = "SANSIO_CACHE_SOURCE_KEY"


@command(
    cli,
    "import",
    short_help="Take over another library's cache.",
    examples="""
import ~/.cache/http_cache.sqlite --cache ~/http.sqlite
import old_cache/ --kind requests-cache --dry-run
import .web_cache/ --kind cachecontrol --urls urls.txt --anonymous
import old.sqlite --source-key-file old.key --secret-file http.secret
""",
)
@click.argument("source", type=click.Path(exists=True), metavar="FILE_OR_FOLDER")
@click.option("--kind", type=click.Choice(_KINDS), help="Which library wrote it; else that is found out.")
@click.option(
    "--source-key-file",
    type=click.Path(),
    metavar="FILE",
    help=f"A file with the key that the other library signed with; else {_THEIRS} holds it.",
)
@click.option(
    "--urls",
    type=click.File("r", "utf-8"),
    metavar="FILE",
    help="URLs, one a line, of which CacheControl may have responses: it keeps only their digests. - for a pipe.",
)
@click.option(
    "--anonymous",
    is_flag=True,
    help="Take what CacheControl, or aiohttp-client-cache before 0.14, holds for an answer to any user: "
    "they do not keep who has asked.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Store nothing, only count.")
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON.")
@setting_options
@pass_place
def import_(
    place: PlaceOptions,
    source: str,
    kind: Kind | None,
    source_key_file: str | None,
    urls: IO[str] | None,
    anonymous: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Store what a cache of requests-cache, aiohttp-client-cache, CacheControl or hishel holds.

    Nothing in it is run, and nothing of it is changed. What cannot be taken over is counted by reason. An import that
    was broken off goes on where it was. A cache is made where there is none; with a secret it is signed.
    """
    key = _source_key(source_key_file)
    store, keywords = place.target()
    # The memory for an entry of a foreign cache is bounded as in sessions.
    named = [] if urls is None else [line.strip() for line in urls if line.strip()]
    more: dict[str, Any] = {
        **keywords,
        "urls": named,
        "anonymous": anonymous,
        "max_body": DEFAULT_MAX_BYTES // 8,
        **place.settings,
    }
    with progress_of("importing") as tell:
        report = import_cache(source, store, kind=kind, key=key, dry_run=dry_run, progress=tell, **more)
    tell_report(report, "would be imported" if dry_run else "imported", as_json=as_json)
    if not report.imported and report.total and "already-there" not in report.skipped:
        raise Trouble("nothing could be taken over", Trouble.FOUND)


@command(
    cli,
    "export",
    short_help="Write everything as lines of JSON.",
    examples="""
export http.jsonl --cache ~/http.sqlite
export - --cache redis://localhost | gzip > http.jsonl.gz
""",
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("-f", "--force", is_flag=True, help="Write over a file that is there.")
@setting_options
@pass_place
def export(place: PlaceOptions, file: str, force: bool) -> None:
    """Write what is stored as lines of JSON, for another store or for safe keeping. FILE may be -, for a pipe.

    What cannot be verified is left out, and named. The file holds whole responses: it is made for you alone.
    """
    if file == "-" and on_terminal():
        raise WrongUse("whole responses would upset the terminal: send them to a file or a pipe")
    if file != "-" and not force and Path(file).exists():
        raise WrongUse(f"{file} is there already: --force writes over it")
    store, keywords = place.target(reading=True)
    out: Any = sys.stdout.buffer if file == "-" else file
    namespace = place.policy().namespace
    there = 0
    with progress_of("exporting") as tell:

        def told(done: int, total: int) -> None:
            nonlocal there
            there = total
            tell(done, total)

        count = export_cache(store, out, namespace=namespace, progress=told, **keywords)
    sys.stdout.flush()
    note(f"{count} exported")
    if there and not count:
        raise Trouble(f"none of {there} responses could be verified with what was given", Trouble.FOUND)


@command(
    cli,
    "load",
    short_help="Read what export wrote.",
    examples="""
load http.jsonl --cache redis://localhost
load http.jsonl --cache ~/new.sqlite --secret-file http.secret
$ zcat http.jsonl.gz | sansio-cache load - --cache ~/new.sqlite
""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("-n", "--dry-run", is_flag=True, help="Store nothing, only count.")
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON.")
@pass_place
def load(place: PlaceOptions, file: str, dry_run: bool, as_json: bool) -> None:
    """Store what export wrote, sealed anew. Responses that are there already stay. FILE may be -, for a pipe.

    Who loads a file vouches for it: with a secret, all that it says is signed. A cache is made where there is none.
    """
    store, keywords = place.target()
    source: Any = sys.stdin.buffer if file == "-" else file
    with progress_of("loading") as tell:
        report = load_cache(store, source, dry_run=dry_run, progress=tell, **keywords)
    tell_report(report, "would be loaded" if dry_run else "loaded", as_json=as_json)


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
        means = _MEANS.get(reason, "")
        emit(f"{count} skipped: {reason}{f' ({means})' if means else ''}")
