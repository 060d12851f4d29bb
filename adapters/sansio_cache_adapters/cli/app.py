"""The command ``sansio-cache``: its subcommands, and how errors become messages and exit statuses."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import click

from sansio_cache.errors import (
    BadSignature,
    CacheError,
    CacheWarning,
    ForeignStore,
    KeyRequired,
    SettingError,
    StoreError,
)

from .errors import STATUSES, Trouble, WrongUse
from .options import cache_options
from .output import note
from .text import plain, plain_block

__all__ = ["COMPLETES", "cli", "run", "version_text"]

COMPLETES: Final = "_SANSIO_CACHE_COMPLETE"
"""The variable by which a shell asks for completions."""
_EXTRA: Final = "pip install 'sansio-cache["
"""The part of an error about a package that an extra brings."""
_COMMANDS: Final = (
    "looking",
    "showing",
    "counting",
    "changing",
    "sealing",
    "checking",
    "explaining",
    "fetching",
    "moving",
    "doctor",
    "completing",
    "demo.command",
)


def version_text() -> str:
    """The version that is installed."""
    try:
        return version("sansio-cache")
    except PackageNotFoundError:
        return "from source"


def _statuses() -> str:
    return "\b\nExit status:\n" + "\n".join(f"  {number:>3}  {meaning}" for number, meaning in STATUSES.items())


class Cli(click.Group):
    """A group that loads its commands when one is asked for, and turns errors into messages and exit statuses."""

    def _load(self) -> None:
        for each in _COMMANDS:
            import_module(f".{each}", __package__)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._load()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings(), _told():
                warnings.simplefilter("always", CacheWarning)
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except BrokenPipeError:
            _let_go_of_output()
            raise click.exceptions.Exit(141) from None
        except OSError as error:
            raise _unwritten(error) from error
        except CacheError as error:
            raise _trouble_of(error) from error
        except ImportError as error:
            if _EXTRA not in str(error):
                raise
            raise WrongUse(str(error)) from error


@click.group(
    cls=Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_statuses(),
)
@click.version_option(version_text(), "-V", "--version", prog_name="sansio-cache")
@cache_options
def cli() -> None:
    """Look into an HTTP cache of sansio-cache, and look after it.

    Works on every store: a SQLite file, a folder of files, Redis. What only looks changes nothing that is stored, and
    makes no cache.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # Characters that the terminal's encoding lacks are shown escaped.
        reconfigure(errors="backslashreplace")
    if COMPLETES in os.environ:
        import_module(".completing", __package__)  # knows more of bash than click does
    given = None if arguments is None else list(arguments)
    try:
        status = cli.main(given, prog_name="sansio-cache", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        note("")
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        _let_go_of_output()
        return 141
    except OSError as error:
        trouble = _unwritten(error)
        trouble.show()
        return trouble.exit_code
    return status if isinstance(status, int) else 0


def _let_go_of_output() -> None:
    """Write no more: else Python complains once more as it flushes at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritten(error: OSError) -> Trouble:
    """The message for a full disk: stores report their own trouble."""
    _let_go_of_output()
    where = error.filename or "the output"
    return Trouble(f"{where} cannot be written: {error.strerror or error}", Trouble.OUTPUT)


def _trouble_of(error: CacheError) -> Trouble:
    if isinstance(error, BadSignature | KeyRequired):
        return Trouble(str(error), Trouble.SECRET)
    if isinstance(error, SettingError):
        return WrongUse(str(error))
    if isinstance(error, ForeignStore):
        said = str(error).replace("import_cache()", "sansio-cache import").replace("cache=…", "--cache")
        return Trouble(said, Trouble.STORE)
    return Trouble(str(error), Trouble.STORE if isinstance(error, StoreError) else Trouble.FOUND)


class _Notes(logging.Handler):
    """Tells what the library logs, in one line each: a URL in it may be a stranger's."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"{record.levelname.lower()}: {plain(record.getMessage())}")


@contextmanager
def _told() -> Generator[None]:
    logger, notes = logging.getLogger("sansio_cache"), _Notes(logging.WARNING)
    logger.addHandler(notes)
    try:
        yield
    finally:
        logger.removeHandler(notes)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    note(plain_block(f"warning: {message}"))
