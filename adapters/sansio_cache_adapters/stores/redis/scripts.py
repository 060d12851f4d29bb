"""The scripts that run inside the Redis server: each is one atomic step on keys of one slot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from sansio_cache.records import INLINE_LIMIT
from sansio_cache.sealing import MAX_HEAD
from sansio_cache_adapters.stores.rows import AHEAD

__all__ = ["OPEN", "ROW_BYTES", "SCRIPTS", "Script"]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, and the name under which a server that has seen it once knows it.

    :ivar otherwise: its reply where one of its keys holds a foreign value.
    """

    text: str
    otherwise: Any
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


ROW_BYTES: Final = 4 * (MAX_HEAD + INLINE_LIMIT)
"""Bytes that a row may have: a sealed head, a body beside it, and what is there for people."""
_ROWS: Final = 10_000
_BYTES: Final = 64 * 1024 * 1024
"""Rows of one partition, and bytes of them, that are read at most: a server does nothing else meanwhile."""
OPEN: Final = b"open"
"""The value in the place of a lease where no request has to queue."""

# A row of records (rows.py) begins with its rev (8 bytes), its entry (16 bytes), and the lengths of the sealed head and
# of the body, four bytes each; all ones say that the body lies elsewhere.
_HELPERS: Final = """
local function num(value) return tonumber(value) end
local function dropped(mark, requested_at, now)
  mark = num(mark or '')
  return mark and num(requested_at) <= mark and math.abs(num(now) - mark) < 600
end
local function text(key)
  -- A time or a token; nothing where the key holds what can be neither.
  local size = redis.pcall('STRLEN', key)
  return type(size) == 'number' and size <= 64 and redis.call('GET', key)
end
local function marked(before, now)
  local at = num(before or '')
  if at and at > num(now) and at < num(now) + 600 then return before end
  return now
end
local function extend(key, fresh, ttl)
  if num(ttl) == 0 then redis.call('PERSIST', key) return end
  local left = redis.call('PTTL', key)
  if fresh or (left >= 0 and left < num(ttl)) then redis.call('PEXPIRE', key, ttl) end
end
"""
_OF_ROWS: Final = f"""
local function entry_of(row) return string.sub(row, 9, 24) end
local function parting(row)
  -- The body that goes with a row: '' where it lies in it.
  return string.sub(row, 29, 32) == '\\255\\255\\255\\255' and entry_of(row) or ''
end
local function rows_of(key)
  -- Names and beginnings of rows in turn. Rows that cannot be ours are removed: going through them delays all clients.
  local rows, left = {{}}, {_BYTES}
  local names = redis.call('HLEN', key) <= {_ROWS} and redis.call('HKEYS', key)
  for _, name in ipairs(names or {{}}) do left = left - redis.call('HSTRLEN', key, name) end
  if not names or left < 0 then
    redis.call('UNLINK', key)
    return rows
  end
  for _, name in ipairs(names) do
    rows[#rows + 1] = name
    rows[#rows + 1] = string.sub(redis.call('HGET', key, name), 1, 32)
  end
  return rows
end
"""


def _script(otherwise: Any, body: str) -> Script:
    return Script(_HELPERS + body, otherwise)


def _script_of_rows(otherwise: Any, body: str) -> Script:
    return Script(_HELPERS + _OF_ROWS + body, otherwise)


# -- of a resource: KEYS parts, mark

ENTER: Final = _script(
    0,
    """
-- partition, ttl, requested_at ('' for one that asks no mark), now
if ARGV[3] ~= '' and dropped(text(KEYS[2]), ARGV[3], ARGV[4]) then return 0 end
-- By the server's clock, since those of hosts may differ.
local at = num(redis.call('TIME')[1])
local fresh = redis.call('EXISTS', KEYS[1]) == 0
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)
local last = num(ARGV[2]) == 0 and 1e15 or at + math.ceil(num(ARGV[2]) / 1000)
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not before or num(before) < last then redis.call('ZADD', KEYS[1], last, ARGV[1]) end
extend(KEYS[1], fresh, ARGV[2])
return 1
""",
)
"""Note a partition among those of its resource, before anything is put into it; 0 where it was dropped."""

MARK: Final = _script(
    (),
    """
-- now, ttl
redis.call('SET', KEYS[2], marked(text(KEYS[2]), ARGV[1]), 'PX', ARGV[2])
local partitions = {}
for _, each in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if #each == 32 then partitions[#partitions + 1] = each end
end
return partitions
""",
)
"""Mark a resource as dropped; its partitions."""

# -- of a partition: KEYS heads, used, mark, lease

# Without the helpers, and without arguments: each hit sends and runs this.
_READ: Final = f"""
local names, rows, left = {{}}, {{}}, {_BYTES}
if redis.call('HLEN', KEYS[1]) > {_ROWS} then return rows end
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local size = redis.call('HSTRLEN', KEYS[1], name)
  if size >= {AHEAD} and size <= {ROW_BYTES} then
    names[#names + 1] = name
    left = left - size
  end
end
if left < 0 then return rows end
for i, name in ipairs(names) do rows[i] = redis.call('HGET', KEYS[1], name) end
"""
LOAD: Final = Script(_READ + "return rows", ())
"""The rows of a partition, without those that are longer than any of ours; none where there are too many."""

LIST: Final = Script(
    _READ
    + f"""
local function length(row, at)
  local a, b, c, d = string.byte(row, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end
for i, row in ipairs(rows) do
  local head, body = {AHEAD} + length(row, 25), length(row, 29)
  if body < 2147483648 then
    rows[i] = string.sub(row, 1, 28) .. '\\0\\0\\0\\0' .. string.sub(row, 33, head) .. string.sub(row, head + body + 1)
  end
end
return rows
""",
    (),
)
"""The same, without the bodies in them."""

PART: Final = _script(
    None,
    """
-- field, bytes at most
if redis.call('HSTRLEN', KEYS[1], ARGV[1]) > num(ARGV[2]) then return false end
return redis.call('HGET', KEYS[1], ARGV[1])
""",
)
"""A field of a hash, if it is not longer than any of ours."""

COMMIT: Final = _script_of_rows(
    None,
    """
-- variant, row, entry, requested_at, now, ttl, vary_limit
if dropped(text(KEYS[3]), ARGV[4], ARGV[5]) then return false end
local gone = {}
local function let_go(variant, row)
  redis.call('HDEL', KEYS[1], variant)
  redis.call('ZREM', KEYS[2], entry_of(row))
  gone[#gone + 1] = parting(row)
end
local others = {}
local rows = redis.call('HLEN', KEYS[1]) >= num(ARGV[7]) and rows_of(KEYS[1]) or {}
for i = 1, #rows, 2 do
  if rows[i] ~= ARGV[1] then
    others[#others + 1] = {num(redis.call('ZSCORE', KEYS[2], entry_of(rows[i + 1])) or 0), rows[i], rows[i + 1]}
  end
end
table.sort(others, function(a, b) return a[1] < b[1] end)
for i = 1, #others + 1 - num(ARGV[7]) do let_go(others[i][2], others[i][3]) end
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then let_go(ARGV[1], old) end
-- Either key may have been evicted without the other.
local fresh, fresh_used = redis.call('EXISTS', KEYS[1]) == 0, redis.call('EXISTS', KEYS[2]) == 0
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[3])
extend(KEYS[1], fresh, ARGV[6])
extend(KEYS[2], fresh_used, ARGV[6])
return gone
""",
)
"""Make a record visible; the bodies of those it takes the place of, or nil where it must not be."""

CHANGE: Final = _script(
    0,
    """
-- variant, rev, row, ttl
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row or string.sub(row, 1, 8) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
extend(KEYS[1], false, ARGV[4])
extend(KEYS[2], false, ARGV[4])
return 1
""",
)
"""Put another row in the place of one that still has this rev; whether it had."""

TAKE: Final = _script_of_rows(
    None,
    """
-- variant, rev
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row or string.sub(row, 1, 8) ~= ARGV[2] then return false end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], entry_of(row))
return parting(row)
""",
)
"""Remove a record that still has this rev; its body, or nil where it had not."""

DROP: Final = _script_of_rows(
    (),
    """
-- now, ttl
redis.call('SET', KEYS[3], marked(text(KEYS[3]), ARGV[1]), 'PX', ARGV[2])
local gone = {}
local rows = rows_of(KEYS[1])
for i = 2, #rows, 2 do gone[#gone + 1] = parting(rows[i]) end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[4])
return gone
""",
)
"""Empty and mark a partition and free its lease; the bodies of the records that went."""

# -- of a lease: KEYS lease

CLAIM: Final = _script(
    None,
    """
-- token, ttl, the token of a holder that has died, or ''
local holder = text(KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then
  -- None of ours lasts longer than twice the time of a lease.
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 and left <= 120000 then return holder end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
""",
)
"""Take or renew the lease of a partition; its present value where another client holds it."""

RELEASE: Final = _script(
    0,
    f"""
-- token, for how long it shall be open: 0 for not
if text(KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if num(ARGV[2]) > 0 then redis.call('SET', KEYS[1], '{OPEN.decode()}', 'PX', ARGV[2]) end
return 1
""",
)
"""Give a lease back, if this token holds it."""

# -- of a body: KEYS body

WRITE: Final = _script(
    0,
    """
-- index, data, ttl
if redis.call('HLEN', KEYS[1]) ~= num(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""",
)
"""Write the next chunk of a pending body; 0 where those before it are gone."""

SETTLE: Final = _script(
    0,
    """
-- number of chunks, size, hashes, ttl
if redis.call('HLEN', KEYS[1]) ~= num(ARGV[1]) then return 0 end
local size = 0
for i = 0, num(ARGV[1]) - 1 do size = size + redis.call('HSTRLEN', KEYS[1], i) end
if size ~= num(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'hashes', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
""",
)
"""Complete a pending body, if it is whole."""

EXTEND: Final = _script(
    0,
    """
-- ttl
extend(KEYS[1], false, ARGV[1])
return 1
""",
)
"""Let a body live longer."""

PENDING: Final = Script(
    f"""
if redis.call('HEXISTS', KEYS[1], 'hashes') == 1 or redis.call('HLEN', KEYS[1]) > {_ROWS} then return 0 end
local size = 0
for _, index in ipairs(redis.call('HKEYS', KEYS[1])) do size = size + redis.call('HSTRLEN', KEYS[1], index) end
return size
""",
    0,
)
"""The bytes of a body that is not committed."""

SCRIPTS: Final = {
    sha: each
    for each in (
        *(ENTER, MARK, LOAD, LIST, PART, COMMIT, CHANGE, TAKE, DROP),
        *(CLAIM, RELEASE, WRITE, SETTLE, EXTEND, PENDING),
    )
    for sha in (each.sha, each.sha.encode())
}
