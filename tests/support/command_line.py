"""The command line, run in this process, and caches of every store to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from click.testing import CliRunner
from local_origin import Origin, Reply, fresh

from sansio_cache import CachedSession
from sansio_cache_adapters.cli.app import cli
from sansio_cache_adapters.cli.place import PlaceOptions

__all__ = ["Command", "Ran", "fill"]


class Ran(NamedTuple):
    """What a command did.

    :ivar raw: what it wrote to standard output.
    """

    status: int
    out: str
    err: str
    raw: bytes

    @property
    def lines(self) -> list[str]:
        """The lines of its output."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.out)


class Command:
    """Runs commands on one cache.

    :param cache: what ``--cache`` is given; None for nothing.
    :param clock: POSIX seconds.
    """

    def __init__(self, cache: str | None, clock: Callable[[], float]) -> None:
        self.cache = cache
        self.clock = clock
        self.env: dict[str, str | None] = {"SANSIO_CACHE": None, "SANSIO_CACHE_SECRET": None}

    def __call__(self, *arguments: str, input: str | None = None) -> Ran:  # noqa: A002 - as click calls it
        given = [*arguments[:1], *(["--cache", self.cache] if self.cache is not None else []), *arguments[1:]]
        place = PlaceOptions(clock=self.clock)
        result = CliRunner().invoke(cli, given, obj=place, env=self.env, input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)


def fill(cache: Any, origin: Origin, clock: Callable[[], float], **keywords: Any) -> dict[str, str]:
    """Store a handful of responses; their URLs by name."""
    urls = {
        "one": origin.on("/one", fresh(b"first", 60)),
        "two": origin.on("/two", fresh(b"x" * 5000, 3600)),
        "gone": origin.on("/gone", Reply(b"no", 404, {"Cache-Control": "max-age=600"})),
        "packed": origin.on("/packed", fresh(b"packed " * 100, 3600, coded=True)),
        "big": origin.on("/big", fresh(bytes(range(256)) * 10_000, 3600)),
        "secret": origin.on("/secret", fresh(b"mine", 3600)) + "?token=abcdef",
    }
    with CachedSession(cache, clock=clock, **keywords) as session:
        for name, url in urls.items():
            session.get(url, tags=["small", name] if name == "one" else ())
    return urls
