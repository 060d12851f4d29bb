"""Bodies of adapters that give something else than urllib3's response: files, recordings, doubles of test suites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sansio_cache_adapters.cache.tee import INCOMPLETE, Tee
from sansio_cache_adapters.stores.work import do

__all__ = ["ForeignTee"]

_OTHER_WAYS: Final = frozenset({"read1", "read_chunked", "readall", "readinto", "readinto1", "readline", "readlines"})
"""Ways to read a body that requests does not go: anyone who goes them is not followed."""


class ForeignTee:
    """A file-like body on its way to the reader: every byte that is read also goes to the store."""

    def __init__(self, raw: Any, tee: Tee) -> None:
        self._raw = raw
        self._tee = tee
        if not hasattr(raw, "stream"):
            # requests asks for it, and takes ``read`` where there is none.
            return
        self.stream = self._stream

    def read(self, *size: Any, **keywords: Any) -> Any:
        """The bytes of the body."""
        data = self._given(self._raw.read, *size, **keywords)
        everything = not size and keywords.get("amt") is None
        if everything or (not data and size[:1] != (0,)):
            do(self._tee.finish())
        return data

    def _stream(self, *arguments: Any, **keywords: Any) -> Iterator[Any]:
        return self._pieces(iter(self._raw.stream(*arguments, **keywords)))

    def __iter__(self) -> Iterator[Any]:
        return self._pieces(iter(self._raw))

    def _pieces(self, pieces: Iterator[Any]) -> Iterator[Any]:
        while (data := self._given(next, pieces, None)) is not None:
            yield data
        do(self._tee.finish())

    def _given(self, read: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            data: object = read(*arguments, **keywords)
        except BaseException:
            self._tee.abandon(INCOMPLETE)
            raise
        if isinstance(data, bytes):
            do(self._tee.feed(data))
        elif data is not None:
            self._tee.abandon("raw-not-readable")
        return data

    def close(self) -> None:
        """Close the body; one that was not read to its end is not stored."""
        self._tee.abandon()
        close = getattr(self._raw, "close", None)
        if close is not None:
            close()

    def __getattr__(self, name: str) -> Any:
        if name in _OTHER_WAYS and hasattr(self._raw, name):
            self._tee.abandon("raw-not-readable")
        return getattr(self._raw, name)

    def __del__(self) -> None:
        self._tee.drop()
