"""The schema of a cache file, and every statement that is made against it.

One row of ``records`` is one stored response: plain columns that a person can read (there is a view, ``responses``,
with dates) beside the sealed head, which alone is believed. A body of up to 2 KiB lies in the row, of up to 64 KiB in
``small``, a larger one in ``chunks``; a chunk's id is its body's id times 2**20 and its index. Tables have rowids, and
what tells rows apart is indexed by the first 64 bits of its digest; the whole digest is compared.

A record that maintenance removed is first only noted in ``removed``, and is as good as gone from then on; its row goes
by and by, since taking one row out of every index costs ten times what the note does.

The totals in ``meta`` are those of the records with ids up to ``counted``; later records are few and summed up when it
is asked for. So a commit does not write that page, and maintenance moves ``counted`` on.
"""

# ruff: noqa: S608 - what is filled in are names and numbers of this module

from __future__ import annotations

import sqlite3
from typing import Final

from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT
from sansio_cache.sealing import MAX_HEAD

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "TABLES", "create"]

APPLICATION_ID: Final = 0x5CAC4E91
"""Stands in bytes 68 to 71 of a cache file. A file without it is not ours and never touched."""
SCHEMA_VERSION: Final = 1
IN_ROW: Final = 2048
"""Bytes of a body up to which it lies in its record's row: one page less to read and to write."""
INDEX_BITS: Final = 20

# The states of a body in chunks.
PENDING: Final = 0
KEPT: Final = 1
LET_GO: Final = 2
"""Its record is gone; a reader may still be at it."""
DEAD: Final = 3

# Claims are locks of the operating system now; the table ``leases`` stays so that a file written by an earlier version
# keeps its schema, which is compared word for word.
_VERSION_1: Final = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id BLOB NOT NULL,
    salt BLOB NOT NULL,
    signed INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    partition_64 INTEGER NOT NULL,
    resource_64 INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    status INTEGER NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    tags TEXT NOT NULL,
    size INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    requested_at REAL NOT NULL,
    received_at REAL NOT NULL,
    stale_at REAL NOT NULL,
    purge_at REAL NOT NULL,
    used_at REAL NOT NULL,
    entry BLOB NOT NULL,
    partition BLOB NOT NULL,
    resource BLOB NOT NULL,
    variant BLOB NOT NULL,
    small_id INTEGER,
    body_id INTEGER,
    sealed BLOB NOT NULL,
    body BLOB
);
CREATE INDEX records_partition ON records (partition_64);
CREATE INDEX records_resource ON records (resource_64);
CREATE INDEX records_purge_at ON records (purge_at);
CREATE INDEX records_used_at ON records (used_at);
CREATE TABLE removed (id INTEGER PRIMARY KEY, rev INTEGER NOT NULL);
CREATE TABLE small (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    entry BLOB NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    at REAL NOT NULL,
    size INTEGER NOT NULL,
    hashes BLOB NOT NULL
);
CREATE INDEX bodies_leaving ON bodies (state, at) WHERE state <> 1;
CREATE TABLE chunks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE marks (resource BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (
    partition BLOB PRIMARY KEY,
    resource BLOB NOT NULL,
    token BLOB NOT NULL,
    until REAL NOT NULL,
    open INTEGER NOT NULL
) WITHOUT ROWID;
CREATE VIEW responses AS SELECT
    method, url, status, size, tags,
    datetime(received_at, 'unixepoch') AS stored_at,
    datetime(min(stale_at, 253402300799), 'unixepoch') AS expires_at,
    datetime(used_at, 'unixepoch') AS used_at
FROM records r WHERE NOT EXISTS (SELECT 1 FROM removed d WHERE d.id = r.id AND d.rev = r.rev);
INSERT INTO meta VALUES (1, randomblob(16), randomblob(32), 0, 0, 0, 0);
"""


TABLES: Final = frozenset({"meta", "records", "removed", "small", "bodies", "chunks", "marks", "leases"})
"""The tables that our statements read and write. The view is for people: nothing of ours reads it."""


def create(connection: sqlite3.Connection) -> None:
    """Make the schema as it is now in an empty database, in one transaction."""
    said = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    connection.executescript(f"BEGIN; {_VERSION_1} {said} COMMIT;")


_HEAVIEST: Final = 1 << 40
# A value that is no number, or none that a record can have, weighs nothing: sums that are told to others must come out.
_WEIGHT = f"(CASE WHEN typeof(weight) = 'integer' AND weight BETWEEN 0 AND {_HEAVIEST} THEN weight ELSE 0 END)"


def _blob(column: str, length: int | str, *, exactly: bool = False) -> str:
    """Whether a value is a blob of such a length: SQLite tells without reading it."""
    return f"typeof({column}) = 'blob' AND length({column}) {'=' if exactly else '<='} {length}"


def _is(kinds: str, *columns: str) -> str:
    """Whether values are of a storage class."""
    wanted = ", ".join(f"'{kind}'" for kind in kinds.split())
    return " AND ".join(f"typeof({column}) IN ({wanted})" for column in columns)


# An id may be given again, a rev is never.
_THERE = "NOT EXISTS (SELECT 1 FROM removed d WHERE d.id = r.id AND d.rev = r.rev)"

META: Final = "SELECT store_id, salt, signed FROM meta"
SIGN: Final = "UPDATE meta SET signed = ?"
IDENTIFY: Final = "UPDATE meta SET store_id = ?, salt = ?"
SALT: Final = "UPDATE meta SET salt = ? WHERE NOT EXISTS (SELECT 1 FROM records)"
# Records not counted yet, and bodies on their way in.
TOTALS: Final = f"""
SELECT m.entries + t.entries, m.bytes + t.bytes + (
    SELECT coalesce(sum(size), 0) FROM bodies WHERE state = {PENDING}
)
FROM meta m, (
    SELECT count(*) AS entries, coalesce(sum({_WEIGHT}), 0) AS bytes
    FROM records r WHERE id > (SELECT counted FROM meta) AND {_THERE}
) t
"""
COUNTED: Final = "SELECT counted FROM meta"
# An id that was counted may be given again when the last records are gone.
UNCOUNT: Final = """
UPDATE meta SET entries = entries - ?, bytes = bytes - ?,
    counted = min(counted, (SELECT coalesce(max(id), 0) FROM records))
"""
WEIGH: Final = "UPDATE meta SET bytes = bytes + ? WHERE counted >= ?"
COUNT_ON: Final = f"""
UPDATE meta SET
    (entries, bytes) = (
        SELECT meta.entries + count(*), meta.bytes + coalesce(sum({_WEIGHT}), 0)
        FROM records r WHERE id > meta.counted AND {_THERE}
    ),
    counted = (SELECT coalesce(max(id), 0) FROM records)
WHERE counted < (SELECT max(id) FROM records)
"""

LOAD: Final = f"""
SELECT r.sealed, coalesce(r.body, s.data), r.entry, r.rev
FROM records r LEFT JOIN small s ON s.id = r.small_id
WHERE r.partition_64 = ? AND r.partition = ? AND {_THERE}
"""
# The same where a value of the partition is none of ours: that row is passed over.
LOAD_SOUND: Final = f"""
SELECT r.sealed, coalesce(r.body, s.data), r.entry, r.rev
FROM records r LEFT JOIN small s ON s.id = CASE WHEN {_is("integer", "r.small_id")} THEN r.small_id END
WHERE r.partition_64 = ? AND {_blob("r.partition", 32, exactly=True)} AND r.partition = ?
    AND {_blob("r.sealed", MAX_HEAD)} AND {_blob("r.entry", 16, exactly=True)} AND {_is("integer", "r.rev")}
    AND (typeof(r.body) = 'null' OR {_blob("r.body", INLINE_LIMIT)})
    AND (typeof(s.data) = 'null' OR {_blob("s.data", INLINE_LIMIT)})
    AND NOT EXISTS (SELECT 1 FROM removed d WHERE d.id = r.id AND {_is("integer", "d.rev")} AND d.rev = r.rev)
"""
LISTED: Final = f"""
SELECT id, resource, partition, variant, sealed, entry, rev, size, requested_at, received_at, stale_at, purge_at,
    url, method, status, tags
FROM records r WHERE id > ? AND {_THERE} ORDER BY id LIMIT ?
"""
LISTED_IDS: Final = f"SELECT id FROM records r WHERE id > ? AND {_THERE} ORDER BY id LIMIT ?"
HASHES: Final = f"SELECT hashes FROM bodies WHERE entry = ? AND state IN ({KEPT}, {LET_GO})"
# Which row of ``chunks`` it is, and whether its value can be ours.
CHUNK: Final = f"""
SELECT c.id, {_is("blob", "c.data")} FROM bodies b JOIN chunks c ON c.id = (b.id << {INDEX_BITS}) + ?
WHERE b.entry = ? AND b.state IN ({KEPT}, {LET_GO})
"""

# A row about to go: what _GOING names is what letting it go takes.
_GOING = f"id, small_id, body_id, {_WEIGHT}"
# One row at least, and the time at which the resource was dropped.
VARIANTS: Final = f"""
SELECT {_GOING}, variant, used_at, (SELECT max(at) FROM marks WHERE resource IN (?, x''))
FROM (SELECT 1) LEFT JOIN records r ON partition_64 = ? AND partition = ? AND {_THERE}
"""
SEEN: Final = f"""
SELECT {_GOING}, size FROM records r
WHERE partition_64 = ? AND partition = ? AND variant = ? AND rev = ? AND {_THERE}
"""
OF_RESOURCE: Final = f"SELECT {_GOING} FROM records r WHERE resource_64 = ? AND resource = ? AND {_THERE}"
EXPIRED: Final = f"SELECT {_GOING} FROM records r WHERE purge_at <= ? AND {_THERE} ORDER BY purge_at LIMIT ?"
LONGEST_UNUSED: Final = f"SELECT {_GOING} FROM records r WHERE {_THERE} ORDER BY used_at LIMIT ?"
REVS: Final = f"SELECT id, rev, {_WEIGHT}, body_id FROM records r WHERE id IN ({{}}) AND {_THERE}"
REMOVE: Final = "INSERT OR REPLACE INTO removed VALUES (?, ?)"
NEWEST_REMOVED: Final = "SELECT max(id) FROM removed"
# How far so many reach, and how many have a body in ``small``.
NEXT_REMOVED: Final = """
SELECT max(d.id), count(r.small_id)
FROM (SELECT id, rev FROM removed ORDER BY id LIMIT ?) d LEFT JOIN records r ON r.id = d.id AND r.rev = d.rev
"""
_NOTED = "FROM removed d JOIN records r ON r.id = d.id AND r.rev = d.rev WHERE d.id <= ?"
DELETE_REMOVED_SMALL: Final = f"DELETE FROM small WHERE id IN (SELECT r.small_id {_NOTED} AND r.small_id IS NOT NULL)"
DELETE_REMOVED: Final = f"DELETE FROM records WHERE id IN (SELECT r.id {_NOTED})"
FORGET_REMOVED: Final = "DELETE FROM removed WHERE id <= ?"

INSERT: Final = """
INSERT INTO records VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# The same where there is no other row of the partition, and no mark: else there is no ``rev``, and no row without one.
INSERT_FIRST: Final = f"""
INSERT OR IGNORE INTO records VALUES (NULL, ?, ?, CASE WHEN
    EXISTS (SELECT 1 FROM records WHERE partition_64 = ? AND partition = ?)
    OR EXISTS (SELECT 1 FROM marks WHERE resource IN (?, x'')) THEN NULL ELSE ? END{", ?" * 19})
"""
FRESHEN: Final = """
UPDATE records SET sealed = ?, rev = ?, weight = ?, status = ?, method = ?, url = ?, tags = ?,
    requested_at = ?, received_at = ?, stale_at = ?, purge_at = ?
WHERE id = ?
"""
# The same for a record that keeps its weight, in one step with the look at what was seen of it.
FRESHEN_SEEN: Final = f"""
UPDATE records AS r SET sealed = ?, rev = ?, status = ?, method = ?, url = ?, tags = ?,
    requested_at = ?, received_at = ?, stale_at = ?, purge_at = ?
WHERE partition_64 = ? AND partition = ? AND variant = ? AND rev = ? AND weight = size + ? AND {_THERE}
"""
RESEAL: Final = "UPDATE records SET sealed = ?, rev = ?, weight = ? WHERE id = ?"
USED: Final = """
UPDATE records SET used_at = ? WHERE partition_64 = ? AND partition = ? AND entry = ? AND used_at < ?
"""
DELETE: Final = "DELETE FROM records WHERE id = ?"
ADD_SMALL: Final = "INSERT INTO small (data) VALUES (?)"
DELETE_SMALL: Final = "DELETE FROM small WHERE id = ?"

BEGIN_BODY: Final = f"INSERT INTO bodies (entry, state, at, size, hashes) VALUES (?, {PENDING}, ?, 0, x'')"
GROW_BODY: Final = f"UPDATE bodies SET at = ?, size = size + ? WHERE entry = ? AND state = {PENDING}"
PENDING_BODY: Final = f"SELECT id, size FROM bodies WHERE entry = ? AND state = {PENDING}"
PENDING_BYTES: Final = f"SELECT coalesce(sum(size), 0) FROM bodies WHERE state = {PENDING}"
KEEP_BODY: Final = f"UPDATE bodies SET state = {KEPT}, hashes = ? WHERE id = ?"
LET_GO_BODY: Final = f"UPDATE bodies SET state = {LET_GO}, at = ? WHERE id = ?"
GIVE_UP_BODY: Final = f"UPDATE bodies SET state = {DEAD} WHERE id = ?"
GIVE_UP_PENDING: Final = f"UPDATE bodies SET state = {DEAD} WHERE entry = ? AND state = {PENDING}"
# Of dead writers, and read long ago. After the clock was set back what is from the future would stay until it comes.
GIVE_UP_OLD: Final = tuple(
    f"""UPDATE bodies SET state = {DEAD} WHERE id IN (
        SELECT id FROM bodies WHERE state = {state} AND (at <= ? OR at >= ?) LIMIT ?
    )"""
    for state in (PENDING, LET_GO)
)
LET_GO_BYTES: Final = f"SELECT coalesce(sum(size), 0) FROM bodies WHERE state = {LET_GO}"
OLDEST_LET_GO: Final = f"SELECT id, CAST(size AS INTEGER) FROM bodies WHERE state = {LET_GO} ORDER BY at"
NEXT_DEAD: Final = f"SELECT id FROM bodies WHERE state = {DEAD} LIMIT 1"
DELETE_BODY: Final = "DELETE FROM bodies WHERE id = ?"
ADD_CHUNK: Final = "INSERT INTO chunks VALUES (?, ?)"
CHUNKS: Final = "SELECT data FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id"
DELETE_CHUNKS: Final = """
DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?)
"""

SET_MARK: Final = "INSERT OR REPLACE INTO marks VALUES (?, ?)"
# The mark of all resources has no name of one.
COUNT_MARKS: Final = "SELECT count(*) FROM marks WHERE resource <> x''"
NEWEST_OF_OLDEST: Final = """
SELECT max(at) FROM (SELECT at FROM marks WHERE resource <> x'' ORDER BY at LIMIT ?)
"""
MARK_ALL: Final = (
    "INSERT OR REPLACE INTO marks SELECT x'', max(?, coalesce(max(at), 0)) FROM marks WHERE resource = x''"
)
REMOVE_OLDEST_MARKS: Final = """
DELETE FROM marks WHERE resource IN (SELECT resource FROM marks WHERE resource <> x'' ORDER BY at LIMIT ?)
"""
FORGET: Final = "DELETE FROM marks WHERE resource IN (SELECT resource FROM marks WHERE at <= ? LIMIT ?)"

CLEAR: Final = (
    "DELETE FROM records",
    "DELETE FROM removed",
    "DELETE FROM small",
    f"UPDATE bodies SET state = {DEAD}",
    "DELETE FROM leases",
    "UPDATE meta SET signed = 0, counted = 0, entries = 0, bytes = 0",
)

META_IS_SOUND: Final = f"SELECT {_blob('store_id', 16, exactly=True)} AND {_blob('salt', 32, exactly=True)} FROM meta"
# These rows were not written by us. ``:longest``: bytes of the hashes of the largest body.
_RECORD_IS_SOUND = " AND ".join(
    (
        *(_blob(each, 32, exactly=True) for each in ("partition", "resource", "variant")),
        *(_blob("entry", 16, exactly=True), _blob("sealed", MAX_HEAD)),
        f"(typeof(body) = 'null' OR {_blob('body', INLINE_LIMIT)})",
        _is("integer", "partition_64", "resource_64", "rev", "status", "size", "weight"),
        _is("integer null", "small_id", "body_id"),
        _is("real integer", "requested_at", "received_at", "stale_at", "purge_at", "used_at"),
        _is("text", "method", "url", "tags"),
    )
)
REMOVE_UNSOUND: Final = (
    f"DELETE FROM records WHERE NOT ({_RECORD_IS_SOUND})",
    f"DELETE FROM removed WHERE NOT ({_is('integer', 'rev')})",
    f"DELETE FROM small WHERE NOT ({_blob('data', INLINE_LIMIT)})",
    f"DELETE FROM chunks WHERE NOT ({_blob('data', CHUNK_SIZE)})",
    f"""DELETE FROM bodies WHERE NOT (
        {_blob("entry", 16, exactly=True)} AND {_blob("hashes", ":longest")} AND {_is("integer", "state", "size")}
        AND {_is("real integer", "at")}
    )""",
    # Of tables without rowids SQLite reads the whole row to delete it, unless all go.
    "DELETE FROM marks",
    "DELETE FROM leases",
    "UPDATE meta SET counted = 0, entries = 0, bytes = 0",
)
