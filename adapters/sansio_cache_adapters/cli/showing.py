"""Commands for one stored response: ``show`` and ``body``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import click

from sansio_cache.lifetimes import Lifetime, lifetime_of
from sansio_cache.messages import Request, version_name
from sansio_cache.records import Record

from .app import cli
from .bodies import body_of, decoded
from .errors import Trouble, WrongUse
from .options import command, setting_options, unverified_option
from .output import emit, entry, note, on_terminal, warn_unverified
from .place import OpenCache, PlaceOptions, pass_place
from .records import FoundRecord, named
from .stored_urls import shown_urls
from .text import plain, plain_block, shown_fields
from .units import age_text, moment_text, size_text

__all__ = ["body", "one_of", "show"]

_url = click.argument("url", metavar="URL", shell_complete=shown_urls)
_method = click.option("-X", "--method", metavar="METHOD", help="Of this method only, such as HEAD.")
_entry = click.option("--entry", metavar="KEY", help="Whose key or variant begins so, of several (as show says).")


@command(
    cli,
    "show",
    short_help="The head and times of one, and why it is fresh or stale.",
    examples="""
show https://api.example.com/items/1 --cache ~/http.sqlite
show https://api.example.com/items/1 --set expire_after=60
show https://api.example.com/items/1 --json | jq .headers
""",
)
@_url
@_method
@_entry
@click.option("--secrets", is_flag=True, help="Show the values of fields that carry credentials, too.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
@unverified_option
@setting_options
@pass_place
def show(
    place: PlaceOptions, url: str, method: str | None, entry: str | None, secrets: bool, as_json: bool, unverified: bool
) -> None:
    """Show the head and the times of what is stored for a URL, and why it is fresh or stale.

    URL is what was asked for, or as ls shows it, or a key of ls --json. The settings of the program that uses the cache
    decide how long a response is fresh: give those that are not the defaults with --set.
    """
    opened = place.open(unverified=unverified, checks=False)
    warn_unverified(opened.unverified)
    found = named(opened, url, method=method, key=entry)
    if as_json:
        click.echo(json.dumps([_as_json(opened, each, url, secrets=secrets) for each in found], indent=1))
        return
    for number, each in enumerate(found):
        if number:
            emit()
        _show(opened, each, url, secrets=secrets)


def _lifetime(opened: OpenCache, record: Record, url: str) -> Lifetime:
    # Rules by URL go by what is asked for; of one that is named by its key, by what is shown of it.
    request = Request(record.head.method, url if "://" in url else record.head.url)
    return lifetime_of(record, request, opened.rules.policy, opened.now)


def _as_json(opened: OpenCache, found: FoundRecord, url: str, *, secrets: bool) -> dict[str, Any]:
    data, record = found.row.as_json(), found.opened
    if isinstance(record, Record):
        lifetime = _lifetime(opened, record, url)
        data["reason"] = record.head.reason
        data["headers"] = shown_fields(record.headers, secrets=secrets)
        data["body_digest"] = record.head.hashed_with or "sha256"
        data["vary"] = [name for name, _ in record.head.vary]
        data["variant"] = found.variant
        data["seconds_left"] = lifetime.left if abs(lifetime.left) < 1e15 else None
        data["freshness"] = {"says": lifetime.says, "section": lifetime.section}
    return data


def _show(opened: OpenCache, found: FoundRecord, url: str, *, secrets: bool) -> None:
    row, record, now = found.row, found.opened, opened.now
    emit(f"{row.method} {row.url}", "bold")
    if isinstance(record, Record):
        emit(f"{version_name(record.head.version)} {row.status} {plain(record.head.reason)}")
        for name, value in shown_fields(record.headers, secrets=secrets):
            emit(f"{name}: {value}")
        emit()
    for name, value in chain(_times(found, now), _rest(opened, found, url)):
        entry(f"{name:<12}", value)


def _times(found: FoundRecord, now: float) -> Iterator[tuple[str, str]]:
    row = found.row
    yield "stored", _moment(row.stored_at, now)
    until = moment_text(row.expires_at)
    yield "kept as", "fresh for ever" if until is None else f"fresh until {_moment(row.expires_at, now)}"


def _moment(at: float, now: float) -> str:
    left = at - now
    return f"{moment_text(at) or 'no time'} ({'in ' if left > 0 else ''}{age_text(left)}{'' if left > 0 else ' ago'})"


def _rest(opened: OpenCache, found: FoundRecord, url: str) -> Iterator[tuple[str, str]]:
    row, record = found.row, found.opened
    if isinstance(record, Record):
        lifetime = _lifetime(opened, record, url)
        yield "now", f"{lifetime.state}: {lifetime.says} ({lifetime.section})"
        yield "settings", _settings(opened, record)
        if record.head.hashed_with:
            yield "hashed with", record.head.hashed_with
        if record.head.vary:
            yield "varies by", plain(", ".join(name for name, _ in record.head.vary))
    elif row.usable:
        yield "now", "not verified: its head is shown with the secret"
    else:
        yield "now", f"cannot be used: {row.state}"
    yield "size", f"{size_text(row.size)} ({row.size} bytes)"
    if row.tags:
        yield "tags", plain(", ".join(row.tags))
    yield "key", row.key
    if isinstance(record, Record) and (record.head.vary or row.method == "HEAD"):
        yield "variant", found.variant


def _settings(opened: OpenCache, record: Record) -> str:
    """Which settings count: those of this command, and what the record remembers of the request that brought it."""
    settings = click.get_current_context().ensure_object(PlaceOptions).settings
    said = ", ".join(f"{name}={value!r}" for name, value in settings.items()) or "the defaults"
    told = "; a request gave it a time of its own, which it remembers" if record.head.remembered is not None else ""
    return plain(said + told)


@command(
    cli,
    "body",
    short_help="The body of one, verified.",
    examples="""
body https://api.example.com/items/1 --cache ~/http.sqlite | jq .
body https://example.com/logo.png -o logo.png
body https://example.com/page --raw | zcat
""",
)
@_url
@_method
@_entry
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write it to a new file.")
@click.option("--raw", is_flag=True, help="As it is stored, its Content-Encoding not taken off.")
@setting_options
@pass_place
def body(place: PlaceOptions, url: str, method: str | None, entry: str | None, output: str | None, raw: bool) -> None:
    """Give the body of what is stored for a URL, verified chunk by chunk.

    Of several (users, variants) the newest is given, an answer to HEAD last; show lists them, and --entry chooses.
    """
    opened = place.open()
    found = one_of(named(opened, url, method=method, key=entry))
    record = found.opened
    assert isinstance(record, Record)  # noqa: S101 - one_of() gives no other
    coding = record.headers.get("content-encoding") or ""
    pieces = body_of(opened, found)
    write_body(pieces if raw else decoded(pieces, coding), output)


def one_of(found: list[FoundRecord]) -> FoundRecord:
    """The one that is meant: the newest that can be used.

    :raises Trouble: none can be.
    """
    first = found[0]
    if not isinstance(first.opened, Record):
        raise Trouble(f"what is stored for {first.row.url} cannot be used: {first.row.state}", Trouble.FOUND)
    if len(found) > 1:
        note(f"{len(found)} are stored for {first.row.url}: this is the newest. show lists them, and --entry chooses")
    return first


def write_body(pieces: Iterator[bytes], output: str | None) -> None:
    """Bytes to a new file, to a pipe as they are, or to a terminal if they are text, without what it would obey."""
    if output is not None:
        _write_file(pieces, output)
    elif not on_terminal():
        out: BinaryIO = sys.stdout.buffer
        for piece in pieces:
            out.write(piece)
        out.flush()
    else:
        _write_terminal(pieces)


def _write_file(pieces: Iterator[bytes], output: str) -> None:
    try:
        file = os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)), "wb")
    except FileExistsError:
        raise WrongUse(f"{output} is there already") from None
    except OSError as error:
        raise WrongUse(f"{output} cannot be written: {error.strerror}") from None
    try:
        with file:
            for piece in pieces:
                file.write(piece)
    except BaseException:
        Path(output).unlink(missing_ok=True)  # a part must not be taken for the whole
        raise


def _write_terminal(pieces: Iterator[bytes]) -> None:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    last = ""
    try:
        for piece in chain(pieces, (b"",)):
            text = decoder.decode(piece, final=not piece) if piece else ""
            if "\0" in text:
                raise UnicodeError
            if text:
                last = plain_block(text)
                click.echo(last, nl=False)
        decoder.decode(b"", final=True)
    except UnicodeError:
        raise WrongUse("the body is no text, and would upset the terminal: send it to a file with -o") from None
    if last and not last.endswith("\n"):
        click.echo()
