"""The command ``demo``."""

from __future__ import annotations

import threading

import click

from sansio_cache_adapters.cli.app import cli
from sansio_cache_adapters.cli.errors import Trouble, WrongUse
from sansio_cache_adapters.cli.output import emit

from .origin import PORT, ROUTES, DemoOrigin, running

__all__ = ["demo"]


@cli.command(
    "demo",
    short_help="See it work; --serve is an API to try it on.",
    epilog="""\b
Examples:
  $ sansio-cache demo
  $ sansio-cache demo --serve
  $ sansio-cache demo --serve --port 0 --quiet""",
)
@click.option("--serve", is_flag=True, help="Start the API that the manual's examples ask, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="PORT",
    help="Where; 0 for any that is free.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not say what it is asked.")
def demo(serve: bool, port: int, quiet: bool) -> None:
    """Show the main job on a real local origin: misses, hits, validation, a tampered file, a new secret.

    All of it happens on 127.0.0.1 and in a temporary folder. It takes requests, and aiohttp and trio where they are
    installed. Exit status 1 if anything was not as it should be.
    """
    if serve:
        _serve(port, quiet=quiet)
        return
    from .story import main

    try:
        status = main()
    except ImportError as error:
        raise WrongUse(f"{error}") from None
    if status:
        raise Trouble("not everything was as it should be", Trouble.FOUND)


def _serve(port: int, *, quiet: bool) -> None:
    def tell(method: str, target: str, status: int) -> None:
        if not quiet:
            click.echo(f"{status} {method} {target!r}", err=True)

    try:
        with running(port, DemoOrigin(tell)) as origin:
            emit(f"{origin.url} answers until Ctrl-C")
            for route in ROUTES:
                emit(f"  {route.path:<12} {route.says}")
            threading.Event().wait()
    except OSError as error:
        raise Trouble(
            f"port {port} cannot be had: {error.strerror}. Say another with --port", Trouble.NETWORK
        ) from None
