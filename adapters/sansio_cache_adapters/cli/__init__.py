"""The command line, ``sansio-cache`` or ``python -m sansio_cache``: looks into a cache of any store, and after it.

In reading order: ``app`` (the command, and how errors become exit statuses: ``errors``), ``options`` (what several
commands take), ``place`` (which store, opened how) and ``secret`` (the key, never from the arguments), ``records``
(what is stored, filtered and sorted), ``stored_urls`` (for a shell that completes one), ``bodies``; ``text``, ``units``
and ``output`` (what a terminal and a pipe get).
Then the commands: ``looking`` (ls), ``showing`` (show, body), ``counting`` (stats, du), ``changing`` (delete, purge,
clear), ``sealing`` (resign, rotate, keygen), ``checking`` (verify), ``explaining`` (explain), ``fetching`` (get), of
requests as ``requests`` makes them, ``moving`` (import, export, load), ``doctor`` with ``health``, ``completing``
(completion); ``demo``.
No other folder imports it; it may import everything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_EXTRA = ("click", "rich", "sqlite_utils")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status.

    :param arguments: without the program's name; None for those that the process was started with.
    """
    try:
        from .app import run

        return run(arguments)
    except KeyboardInterrupt:  # while it loads, or closes
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"sansio-cache needs {error.name}, which is not installed: pip install 'sansio-cache[cli]'\n")
        return 2
