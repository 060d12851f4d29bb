"""The command ``verify``: whether everything stored is what it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import click

from sansio_cache.digests import NOT_INSTALLED
from sansio_cache.records import Flaw

from .app import cli
from .bodies import flaw_of
from .errors import Trouble
from .options import command, setting_options
from .output import emit, note, on_terminal, progress, table
from .place import NOT_SIGNED, OpenCache, PlaceOptions, pass_place
from .records import FoundRecord, walk

__all__ = ["verify"]

_MEANS = {
    Flaw.UNREADABLE: "no record of ours, or cut short",
    Flaw.UNSIGNED: "not signed, though a secret is given",
    Flaw.FOREIGN: "of another store, namespace or format",
    Flaw.SIGNATURE: "signed by no secret that was given",
    Flaw.PLACE: "signed for another place than it lies in",
    Flaw.BODY: "its body is not the one it describes",
    Flaw.GONE: "its body is gone",
    Flaw.KEYLESS: "signed, and no secret is given",
    Flaw.DIGEST: f"its body cannot be verified here: {NOT_INSTALLED}",
}


@command(
    cli,
    "verify",
    short_help="Check every signature and body.",
    examples="""
verify --cache ~/http.sqlite --secret-file http.secret
verify --heads --json
""",
)
@click.option("--heads", is_flag=True, help="Heads only: quicker, and silent about bodies.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing: the exit status does.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@setting_options
@pass_place
def verify(place: PlaceOptions, heads: bool, quiet: bool, as_json: bool) -> None:
    """Open every record, verify its signature and its body, and name what is wrong. Nothing is changed."""
    opened = place.open(checks=False)
    good, wrong = _verify(opened, heads=heads)
    counts = Counter(flaw.value for _, flaw in wrong)
    if as_json:
        bad = [{**found.row.as_json(), "flaw": flaw.value} for found, flaw in wrong]
        click.echo(json.dumps({"good": good, "flaws": dict(counts), "wrong": bad}, indent=1))
    elif not quiet:
        _show(wrong)
        signed = ", and their signatures" if opened.sealer.signed else "; the cache is not signed"
        note(f"{good} good, heads{'' if heads else ' and bodies'}{signed}; {len(wrong)} wrong")
    if wrong:
        said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        if opened.wants_no_secret:
            raise Trouble(f"{said}. {NOT_SIGNED}", Trouble.SECRET)
        if opened.strange():
            raise Trouble(f"{said}. It was signed with another secret than the one that was given", Trouble.SECRET)
        if set(counts) == {Flaw.DIGEST.value}:
            raise Trouble(f"{said}. They are misses to every session here: {NOT_INSTALLED}", Trouble.FOUND)
        raise Trouble(f"{said}. They are misses to every session; purge --invalid removes them", Trouble.FOUND)


def _show(wrong: Sequence[tuple[FoundRecord, Flaw]]) -> None:
    if not on_terminal():
        for found, flaw in wrong:
            emit(f"{flaw.value}\t{found.row.url}\t{_MEANS[flaw]}")
    elif wrong:
        table(("flaw", "means", "URL"), [(flaw.value, _MEANS[flaw], found.row.url) for found, flaw in wrong])


def _verify(opened: OpenCache, *, heads: bool) -> tuple[int, list[tuple[FoundRecord, Flaw]]]:
    good = 0
    wrong: list[tuple[FoundRecord, Flaw]] = []
    with progress("verifying", opened.store.size().entries) as tick:
        for found in walk(opened, tick):
            of_head = found.opened if isinstance(found.opened, Flaw) else None
            flaw = of_head if heads else flaw_of(opened, found)
            if flaw is None:
                good += 1
            else:
                wrong.append((found, flaw))
    return good, wrong
