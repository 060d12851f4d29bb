"""The ``repr`` of stores, and of sessions on them: for logs, tracebacks and debuggers."""

from __future__ import annotations

from typing import Any, cast

from sansio_cache.sealing import Sealer

__all__ = ["StoreRepr", "described"]


class StoreRepr:
    """Gives a store a ``repr``: what it is, where it lies, whether it signs, and how many entries it has."""

    sealer: Sealer | None = None

    @property
    def location(self) -> str:
        """Where the store lies, without any password."""
        raise NotImplementedError

    def known_entries(self) -> int | None:
        """How many entries it has, if that can be told at once: nothing is opened or waited for to be shown."""
        return None

    def __repr__(self) -> str:
        return described(self, self, self.sealer)


def described(thing: object, store: object, sealer: Sealer | None) -> str:
    """The ``repr`` of a store, or of a session on one."""
    try:
        said = [str(cast(Any, store).location)]
        entries = store.known_entries() if isinstance(store, StoreRepr) else None
    except AttributeError:  # its constructor has not come to an end
        return object.__repr__(thing)
    if sealer is not None:
        said.append("signed" if sealer.signed else "unsigned")
    if entries is not None:
        said.append("1 entry" if entries == 1 else f"{entries} entries")
    # Under a name that users can have it by.
    name = next(each.__name__ for each in type(thing).__mro__ if not each.__name__.startswith("_"))
    return f"<{name} {', '.join(said)}>"
