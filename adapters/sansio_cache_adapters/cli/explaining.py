"""The command ``explain``: what the cache would do with a request now, and why."""

from __future__ import annotations

import json

import click

from sansio_cache.actions import Action, BodyStart, Load, LoadBody, Loaded
from sansio_cache.errors import StoreError
from sansio_cache.explaining import Explained, explain
from sansio_cache.messages import Request

from .app import cli
from .options import command, request_options, setting_options
from .output import emit, entry
from .place import OpenCache, PlaceOptions, pass_place
from .requests import AskedRequest, as_sent
from .stored_urls import asked_urls
from .text import plain, shown_url
from .units import AGE

__all__ = ["explain_url"]


@command(
    cli,
    "explain",
    short_help="What would be done now, and why.",
    examples="""
explain https://api.example.com/items/1 --cache ~/http.sqlite
explain https://api.example.com/items/1 -H 'Cache-Control: max-age=60'
explain https://api.example.com/items/1 --set shared=true --at 2027-01-31
""",
)
@click.argument("url", shell_complete=asked_urls)
@request_options
@click.option("--at", "moment", type=AGE, metavar="TIME", help="As if it were then: a date, or an age ago such as 1h.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@setting_options
@pass_place
def explain_url(place: PlaceOptions, url: str, asked: AskedRequest, moment: float | None, as_json: bool) -> None:
    """Say what a session would do with a request now: use what is stored, validate it, or fetch it, and why.

    The decision is that of the core itself, which is asked without a network. Nothing is changed. Where requests is
    installed the request is the one that CachedSession would send; -H gives it other fields.
    """
    opened = place.open(checks=False)
    now = opened.now if moment is None else opened.now - moment if moment >= 0 else -moment
    request, client = as_sent(url, asked)
    found = _explained(opened, request, now)
    if as_json:
        steps = [{"name": name, "says": plain(says), "section": section} for name, says, section in found.steps]
        click.echo(json.dumps({"decision": found.decision, "says": found.says, "steps": steps}, indent=1))
        return
    emit(f"{request.method} {shown_url(request.url)} as {client} sends it", "bold")
    for number, step in enumerate(found.steps, 1):
        entry(f"{number}. ", f"{step.name}: {plain(step.says)} ({step.section})")
    entry("→ ", f"{found.decision}: {found.says}", "bold")


def _explained(opened: OpenCache, request: Request, now: float) -> Explained:
    steps = explain(request, opened.rules.policy, opened.meta, opened.sealer, now)
    try:
        action = next(steps)
        while True:
            action = steps.send(_perform(opened, action, now))
    except StopIteration as done:
        found: Explained = done.value
        return found


def _perform(opened: OpenCache, action: Action[object], now: float) -> object:
    if isinstance(action, Load):
        return Loaded(opened.store.load(action.keys.partition), now)
    assert isinstance(action, LoadBody)  # noqa: S101 - explain() asks for nothing else
    head, entry = action.record.head, action.record.stored.entry
    try:
        hashes = opened.store.hashes(entry) if head.length > head.chunk_size else b""
        return BodyStart(hashes, opened.store.chunk(entry, action.index))
    except StoreError:
        return None
