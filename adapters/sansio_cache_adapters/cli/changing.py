"""Commands that remove: ``delete``, ``purge`` and ``clear``."""

from __future__ import annotations

import math
from collections.abc import Callable

import click

from sansio_cache.messages import Request
from sansio_cache.records import Flaw

from .app import cli
from .bodies import flaw_of
from .errors import Trouble, WrongUse
from .options import command, filter_options, setting_options, unverified_option
from .output import emit, note, progress, table
from .place import NOT_SIGNED, OpenCache, PlaceOptions, pass_place
from .records import FoundRecord, Wanted, walk
from .stored_urls import shown_urls
from .text import plain, shown_url
from .units import AGE

__all__ = ["clear", "delete", "purge"]

_AT_ONCE = 2000
_SOUND = (None, Flaw.DIGEST)
_dry_run = click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")


def _remove(opened: OpenCache, selected: Callable[[FoundRecord], bool], *, dry_run: bool) -> int:
    """Remove the records of which something is true; how many there were."""
    taken: list[FoundRecord] = []
    shown: list[tuple[str, str]] = []
    count = 0

    def flush() -> int:
        doomed_now = [each.listed for each in taken]
        taken.clear()
        return opened.store.change(doomed_now, None)

    with progress("looking", opened.store.size().entries) as tick:
        for found in walk(opened, tick):
            if not selected(found):
                continue
            if dry_run:
                count += 1
                shown.append((found.row.state, found.row.url))
                continue
            taken.append(found)
            if len(taken) >= _AT_ONCE:
                count += flush()
    if shown:
        table(("state", "URL"), shown)  # not while a bar is shown
    return count + (flush() if taken else 0)


def _tell(count: int, *, dry_run: bool) -> None:
    note(f"{count} {'would be removed' if dry_run else 'removed'}")


@command(
    cli,
    "delete",
    short_help="Remove by URL, pattern, tag, age…",
    examples="""
delete https://api.example.com/items/1 --cache ~/http.sqlite
delete 'https://api.example.com/*' --older-than 7d --dry-run
delete --tag invoices
delete --invalid
""",
)
@click.argument("urls", nargs=-1, metavar="[URL]...", shell_complete=shown_urls)
@filter_options
@_dry_run
@unverified_option
@setting_options
@pass_place
def delete(place: PlaceOptions, urls: tuple[str, ...], wanted: Wanted, dry_run: bool, unverified: bool) -> None:
    """Remove responses: of a URL for every user, of a pattern with *, or by what the options say.

    Removing a URL also keeps an answer out that is on its way now. Nothing removed is exit status 1.
    """
    if not urls and wanted.everything:
        raise WrongUse("delete takes a URL, a pattern or an option that says what goes; clear removes all")
    by_url = wanted.everything
    opened = place.open(writes=not dry_run, unverified=unverified or by_url)
    count = 0
    if by_url and not dry_run:
        count = sum(_drop(opened, url) for url in urls if "*" not in url)
        urls = tuple(url for url in urls if "*" in url or "REDACTED" in url)
    if urls or not by_url:
        named = wanted.with_urls(urls, whole=True)
        count += _remove(opened, lambda found: named.takes(found.row), dry_run=dry_run)
    _tell(count, dry_run=dry_run)
    if not count:
        raise Trouble("nothing was there to be removed", Trouble.FOUND)


def _drop(opened: OpenCache, url: str) -> int:
    if "://" not in url:
        raise WrongUse(f"{plain(url)} is no URL: it begins with http:// or https://")
    resource = opened.rules.maker.resource(Request("GET", url))
    count = opened.store.drop(resource, now=opened.now)
    if count:
        emit(f"removed\t{count}\t{shown_url(url)}")
    return count


@command(
    cli,
    "purge",
    short_help="Remove what has expired.",
    examples="""
purge --cache ~/http.sqlite
purge --older-than 30d
purge --invalid --dry-run
""",
)
@click.option("--expired/--no-expired", default=None, help="Those that are stale; what is done if nothing is said.")
@click.option("--older-than", "older", type=AGE, metavar="AGE", help="Those stored longer ago, too: 30d, a date.")
@click.option("--invalid", is_flag=True, help="Those that cannot be used, too: broken, foreign, unsigned or forged.")
@_dry_run
@unverified_option
@setting_options
@pass_place
def purge(
    place: PlaceOptions, expired: bool | None, older: float | None, invalid: bool, dry_run: bool, unverified: bool
) -> None:
    """Remove what has expired, and free its room.

    What is stale may still be worth a validation, or stand in while an origin is down: purge takes it all the same.
    """
    if expired is None:
        expired = older is None and not invalid
    if not expired and older is None and not invalid:
        raise WrongUse("purge takes --expired, --older-than or --invalid")
    opened = place.open(writes=not dry_run, unverified=unverified)
    if invalid and opened.wants_no_secret:
        raise Trouble(f"with a secret all of it would be removed. {NOT_SIGNED}", Trouble.SECRET)
    before = -math.inf if older is None else opened.now - older if older >= 0 else -older

    def selected(found: FoundRecord) -> bool:
        row = found.row
        return (
            (expired and row.state == "stale")
            or row.stored_at < before
            or (invalid and (not row.usable or (not opened.unverified and flaw_of(opened, found) not in _SOUND)))
        )

    count = _remove(opened, selected, dry_run=dry_run)
    if not dry_run:
        _sweep(opened)
    _tell(count, dry_run=dry_run)


def _sweep(opened: OpenCache) -> None:
    """Let the store take out by and by what was removed, as far as it does so now."""
    for _ in range(1000):
        if not opened.store.sweep(now=opened.now):
            return


@command(
    cli,
    "clear",
    short_help="Remove everything.",
    examples="""
clear --cache ~/http.sqlite
clear --cache redis://localhost --yes
""",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_place
def clear(place: PlaceOptions, yes: bool) -> None:
    """Remove everything, and the mark that the cache is signed. Asks before it does."""
    opened = place.open(writes=True, unverified=True)
    size = opened.store.size()
    if not yes:
        question = f"Remove all {size.entries} responses from {plain(opened.store.location)}?"
        try:
            sure = click.confirm(question, err=True)
        except click.Abort:
            note("")
            raise Trouble(
                "nothing was removed: the answer was not yes. --yes does without asking", Trouble.FOUND
            ) from None
        if not sure:
            raise Trouble("nothing was removed", Trouble.FOUND)
    opened.store.clear()
    _tell(size.entries, dry_run=False)
