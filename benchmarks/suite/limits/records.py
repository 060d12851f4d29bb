"""The least a store can do: the key is the hash of the URL, a hit is one SELECT and one decode."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from pathlib import Path

import msgspec

from suite.contenders.secret import SECRET


class Head(msgspec.Struct, array_like=True):
    """What a response has besides its body."""

    url: str
    status: int
    expires: float
    fields: list[tuple[str, str]]


decode = msgspec.msgpack.Decoder(Head).decode
encode = msgspec.msgpack.Encoder().encode

INLINE = 1 << 16
SELECT = f"""
    SELECT id, key, seal, head, CASE WHEN length(body) <= {INLINE} THEN body END FROM records WHERE prefix = ?
"""
SCHEMA = """
    CREATE TABLE IF NOT EXISTS records (
        id INTEGER PRIMARY KEY, prefix INTEGER, key BLOB, seal BLOB, head BLOB, body BLOB
    );
    CREATE INDEX IF NOT EXISTS by_prefix ON records (prefix);
"""


class Records:
    """A rowid table found by the first 64 bits of the key, the whole key compared; signed if asked."""

    def __init__(self, folder: Path, *, signed: bool) -> None:
        self._connection = sqlite3.connect(folder / "limit.sqlite", check_same_thread=False, isolation_level=None)
        self._connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {SCHEMA}")
        self._connection.execute("PRAGMA mmap_size = 268435456")
        self._execute = self._connection.execute
        # Prepared once and copied for each record: deriving the key anew would cost as much as the signature.
        self._mac = hmac.new(SECRET.encode(), digestmod=hashlib.sha256) if signed else None

    def read(self, url: str) -> tuple[Head, bytes]:
        """The head and the body stored for this URL."""
        key = hashlib.sha256(url.encode()).digest()
        for row, found, seal, head, body in self._execute(SELECT, (int.from_bytes(key[:8], "big", signed=True),)):
            if found == key:
                if body is None:
                    # Straight into its bytes: a row would hold the body a second time, and asking the system for
                    # that much memory costs more than reading it.
                    with self._connection.blobopen("records", "body", row, readonly=True) as blob:
                        body = blob.read()
                if self._mac is not None and not hmac.compare_digest(seal, self._seal(key, head, body)):
                    raise ValueError(url)
                return decode(head), body
        raise KeyError(url)

    def write(self, head: Head, body: bytes) -> None:
        """Store this under its URL."""
        key = hashlib.sha256(head.url.encode()).digest()
        packed = encode(head)
        row = (int.from_bytes(key[:8], "big", signed=True), key, self._seal(key, packed, body), packed, body)
        self._execute("INSERT INTO records (prefix, key, seal, head, body) VALUES (?, ?, ?, ?, ?)", row)

    def renew(self, head: Head, body: bytes) -> None:
        """Replace the head stored under its URL."""
        key = hashlib.sha256(head.url.encode()).digest()
        packed = encode(head)
        row = (self._seal(key, packed, body), packed, int.from_bytes(key[:8], "big", signed=True), key)
        self._execute("UPDATE records SET seal = ?, head = ? WHERE prefix = ? AND key = ?", row)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _seal(self, key: bytes, head: bytes, body: bytes) -> bytes:
        if self._mac is None:
            return b""
        mac = self._mac.copy()
        mac.update(key + head)
        mac.update(body)
        return mac.digest()


class MemoryRecords(Records):
    """A dict of decoded records."""

    def __init__(self) -> None:
        self._records: dict[bytes, tuple[Head, bytes]] = {}

    def read(self, url: str) -> tuple[Head, bytes]:
        """The head and the body stored for this URL."""
        return self._records[hashlib.sha256(url.encode()).digest()]

    def write(self, head: Head, body: bytes) -> None:
        """Store this under its URL."""
        self._records[hashlib.sha256(head.url.encode()).digest()] = head, body

    def renew(self, head: Head, body: bytes) -> None:
        """Replace the head stored under its URL."""
        self.write(head, body)

    def close(self) -> None:
        """Nothing is open."""
