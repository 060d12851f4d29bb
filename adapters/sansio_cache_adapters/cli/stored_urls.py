"""The URLs of what is stored, for a shell that completes one."""

from __future__ import annotations

import logging
import time
import warnings
from contextlib import suppress
from itertools import islice
from typing import Final

import click
from click.shell_completion import CompletionItem

from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

from .place import PlaceOptions
from .records import walk

__all__ = ["asked_urls", "shown_urls"]

_SECONDS: Final = 0.5
"""How long a shell is held up by the look into a store, at most."""
_LOOKED_AT: Final = 20_000
_OFFERED: Final = 500
_HIDDEN: Final = "REDACTED"


def shown_urls(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Stored URLs that begin so, as ``ls`` shows them; none where the store is elsewhere, signed, or in trouble."""
    with suppress(Exception), warnings.catch_warnings(), context:
        warnings.simplefilter("ignore")
        logging.getLogger("sansio_cache").addHandler(logging.NullHandler())  # the shell's line is no place for a log
        return [CompletionItem(url) for url in _urls(context.ensure_object(PlaceOptions), incomplete)]
    return []


def asked_urls(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same, for what sends them as they are: without those that hide a secret."""
    return [each for each in shown_urls(context, parameter, incomplete) if _HIDDEN not in each.value]


def _urls(place: PlaceOptions, incomplete: str) -> list[str]:
    end = time.monotonic() + _SECONDS
    if not isinstance(place.store(), SQLiteStore | FileStore) or place.keyring_name is not None:
        return []  # a server may be slow, and a keyring may ask
    found: set[str] = set()
    for each in islice(walk(place.open()), _LOOKED_AT):
        if each.row.url.startswith(incomplete):
            found.add(each.row.url)
        if len(found) >= _OFFERED or time.monotonic() > end:
            break
    return sorted(found)
