"""Commands that sum up: ``stats`` and ``du``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click

from sansio_cache.urls import split

from .app import cli
from .options import command, filter_options, setting_options, unverified_option
from .output import bar, emit, entry, on_terminal, progress, table, warn_unverified
from .place import OpenCache, PlaceOptions, pass_place
from .records import ShownRow, Wanted, check_found, found_of
from .text import plain
from .units import age_text, size_text

__all__ = ["du", "stats"]

_SIZES: Final = (1024, 10 * 1024, 100 * 1024, 1024**2, 10 * 1024**2)
_AGES: Final = (60, 3600, 86_400, 604_800, 2_592_000, 31_557_600)


class Sum(NamedTuple):
    """How many, and bytes of bodies."""

    number: int = 0
    bytes: int = 0

    def plus(self, row: ShownRow) -> Sum:
        """With one more."""
        return Sum(self.number + 1, self.bytes + row.size)


class Counted(dict[str, Sum]):
    """Sums by name."""

    def add(self, name: str, row: ShownRow) -> None:
        """Count a row under a name."""
        self[name] = self.get(name, Sum()).plus(row)

    def as_json(self) -> dict[str, dict[str, int]]:
        """As data."""
        return {name: {"count": each.number, "bytes": each.bytes} for name, each in self.items()}

    def sorted(self, key: Callable[[tuple[str, Sum]], Any]) -> list[tuple[str, Sum]]:
        """The names and sums, in order."""
        return sorted(self.items(), key=key)


def _by_sizes(size: float) -> str:
    return _between(size, _SIZES, lambda edge: size_text(edge).replace(".0", ""))


def _by_ages(age: float) -> str:
    return _between(age, _AGES, age_text)


def _between(value: float, edges: tuple[int, ...], text: Callable[[float], str]) -> str:
    for edge in edges:
        if value < edge:
            return f"below {text(edge)}"
    return f"{text(edges[-1])} and more"


@command(
    cli,
    "stats",
    short_help="Count by host, status, size and age.",
    examples="""
stats --cache ~/http.sqlite
stats 'https://api.example.com/*'
stats --cache file:///var/cache/mine --json | jq .hosts
""",
)
@click.argument("globs", nargs=-1, metavar="[URL]...")
@filter_options
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, metavar="COUNT", help="Hosts shown.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, every host.")
@unverified_option
@setting_options
@pass_place
def stats(
    place: PlaceOptions, globs: tuple[str, ...], wanted: Wanted, top: int, as_json: bool, unverified: bool
) -> None:
    """Count what is stored: by state, host, status, size and age, with bars."""
    opened = place.open(unverified=unverified, checks=not wanted.invalid)
    warn_unverified(opened.unverified)
    wanted = wanted.with_urls(globs)
    total, groups = _count(opened, wanted)
    if as_json:
        data: dict[str, Any] = {"cache": opened.store.location, "signed": opened.meta.signed}
        data |= {"responses": total.number, "bytes": total.bytes}
        click.echo(json.dumps(data | {name: each.as_json() for name, each in groups.items()}, indent=1))
    else:
        emit(f"{plain(opened.store.location)}", "bold")
        signed = "signed" if opened.meta.signed else "not signed"
        entry("", f"{_many(total.number)}, {size_text(total.bytes)} of bodies, {signed}")
        for name, each in groups.items():
            _show_group(name, each, total, top)
    check_found(total.number, wanted, opened)


def _many(count: int) -> str:
    return f"{count} response{'' if count == 1 else 's'}"


def _count(opened: OpenCache, wanted: Wanted) -> tuple[Sum, dict[str, Counted]]:
    total = Sum()
    groups = {name: Counted() for name in ("states", "hosts", "statuses", "sizes", "ages")}
    with progress("counting", opened.store.size().entries) as tick:
        for found in found_of(opened, wanted, tick):
            row = found.row
            total = total.plus(row)
            groups["states"].add(row.state, row)
            groups["hosts"].add(row.host, row)
            groups["statuses"].add(str(row.status), row)
            groups["sizes"].add(_by_sizes(row.size), row)
            groups["ages"].add(_by_ages(opened.now - row.stored_at), row)
    for name, edges, label in (("sizes", _SIZES, _by_sizes), ("ages", _AGES, _by_ages)):
        order = [label(edge - 1) for edge in edges] + [label(math.inf)]
        groups[name] = Counted({each: groups[name][each] for each in order if each in groups[name]})
    return total, groups


def _show_group(name: str, group: Counted, total: Sum, top: int) -> None:
    if not group:
        return
    emit()
    emit({"states": "state", "hosts": "host", "statuses": "status", "sizes": "size", "ages": "age"}[name], "bold")
    in_order = group.items() if name in ("sizes", "ages") else group.sorted(lambda each: (-each[1].number, each[0]))
    shown = list(in_order)
    left = shown[top:] if name == "hosts" else []
    most = max(each.number for each in group.values())
    width = min(max(len(label) for label, _ in shown), 32)
    for label, each in shown[: len(shown) - len(left)]:
        cut = label if len(label) <= width else label[: width - 1] + "…"
        said = f"  {cut:<{width}} {each.number:>8} {size_text(each.bytes):>9}  "
        emit(f"{said}{bar(each.number / most, len(said))}")
    if left:
        emit(f"  and {len(left)} more: --top {len(shown)} shows all")


@command(
    cli,
    "du",
    short_help="What takes the room.",
    examples="""
du --cache ~/http.sqlite
du --depth 2 'https://api.example.com/'
du --json
""",
)
@click.argument("globs", nargs=-1, metavar="[URL]...")
@filter_options
@click.option(
    "-d", "--depth", type=click.IntRange(0), default=1, show_default=True, metavar="COUNT", help="Parts of the path."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@unverified_option
@setting_options
@pass_place
def du(
    place: PlaceOptions, globs: tuple[str, ...], wanted: Wanted, depth: int, as_json: bool, unverified: bool
) -> None:
    """Say what takes the room: bytes of bodies below each host and path, the most first."""
    opened = place.open(unverified=unverified, checks=not wanted.invalid)
    warn_unverified(opened.unverified)
    wanted = wanted.with_urls(globs)
    sums, total = Counted(), Sum()
    with progress("counting", opened.store.size().entries) as tick:
        for found in found_of(opened, wanted, tick):
            total = total.plus(found.row)
            sums.add(_below(found.row.url, depth), found.row)
    if as_json:
        data: dict[str, Any] = {"cache": opened.store.location, "bytes": total.bytes, "responses": total.number}
        data |= {"store_bytes": opened.store.size().bytes}
        click.echo(json.dumps(data | {"below": sums.as_json()}, indent=1))
    elif total.number:
        _show_sums(sums, total, opened)
    check_found(total.number, wanted, opened)


def _show_sums(sums: Counted, total: Sum, opened: OpenCache) -> None:
    largest = sums.sorted(lambda each: (-each[1].bytes, each[0]))
    text = size_text if on_terminal() else str
    rows = [(text(each.bytes), str(each.number), name) for name, each in largest]
    table(("size", "responses", "URL"), rows, right=("size", "responses"))
    if on_terminal():
        entry("", f"{size_text(total.bytes)} of bodies in all; with their heads {size_text(opened.store.size().bytes)}")


def _below(url: str, depth: int) -> str:
    parts = split(url)
    port = f":{parts.port}" if parts.port else ""
    names = parts.path.split("/")[1:]
    kept = "/".join(names[:depth])
    return f"{parts.scheme}://{parts.host}{port}/{kept}" + ("/…" if len(names) > depth and kept else "")
