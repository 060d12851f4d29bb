"""The scripts that run inside the Redis server, on records and bodies: each is one atomic step on keys of one slot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from sansio_cache.records import INLINE_LIMIT
from sansio_cache.sealing import MAX_HEAD

__all__ = ["OF_RECORDS", "ROW_BYTES", "Script", "script"]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, and the name under which a server that has seen it once knows it.

    :ivar otherwise: what it says where one of its keys holds what is not ours.
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

# A row of records (rows.py) begins with its rev (8 bytes) and its entry (16 bytes).
_HELPERS: Final = """
local function num(value) return tonumber(value) end
local function entry_of(row) return string.sub(row, 9, 24) end
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
local function lives(key)
  -- Whether a key is there that ends within twice the time of a lease: none of ours lasts longer.
  local left = redis.call('PTTL', key)
  return left >= 0 and left <= 120000
end
local function extend(key, fresh, ttl)
  if num(ttl) == 0 then redis.call('PERSIST', key) return end
  local left = redis.call('PTTL', key)
  if fresh or (left >= 0 and left < num(ttl)) then redis.call('PEXPIRE', key, ttl) end
end
local function later(key, member, score)
  local before = redis.call('ZSCORE', key, member)
  if not before or num(before) < num(score) then redis.call('ZADD', key, score, member) end
end
"""
_ROWS_OF: Final = f"""
local ROWS = {_ROWS}
local function rows_of(key)
  -- Names and rows in turn. What is not as ours are is taken out: to go through it all holds up everybody.
  local rows = {{}}
  if redis.call('HLEN', key) > ROWS then
    redis.call('UNLINK', key)
    return rows
  end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if redis.call('HSTRLEN', key, name) > {ROW_BYTES} then
      redis.call('HDEL', key, name)
    else
      rows[#rows + 1] = name
      rows[#rows + 1] = redis.call('HGET', key, name)
    end
  end
  return rows
end
"""


def script(otherwise: Any, body: str) -> Script:
    """A script with the functions that all have in common."""
    return Script(_HELPERS + body, otherwise)


# -- of a resource: KEYS parts, mark

ENTER: Final = script(
    0,
    """
-- partition, requested_at ('' for a lease), now, until when the partition may hold something, ttl, forgotten before
if ARGV[2] ~= '' and dropped(text(KEYS[2]), ARGV[2], ARGV[3]) then return 0 end
local fresh = redis.call('EXISTS', KEYS[1]) == 0
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[6])
later(KEYS[1], ARGV[1], ARGV[4])
extend(KEYS[1], fresh, ARGV[5])
return 1
""",
)
"""Note a partition among those of its resource, before anything is put into it; 0 where it was dropped."""

MARK: Final = script(
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

# -- of a partition: KEYS heads, used, mark, lease, open

LOAD: Final = Script(
    f"""
-- Without the helpers, and without arguments: each hit sends and runs this.
local rows, left = {{}}, {_BYTES}
if redis.call('HLEN', KEYS[1]) > {_ROWS} then return rows end
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local size = redis.call('HSTRLEN', KEYS[1], name)
  if size <= {ROW_BYTES} and size <= left then
    left = left - size
    rows[#rows + 1] = redis.call('HGET', KEYS[1], name)
  end
end
return rows
""",
    (),
)
"""The rows of a partition, without those that are longer than any of ours; none where there are too many."""

PART: Final = script(
    None,
    """
-- field, bytes at most
if redis.call('HSTRLEN', KEYS[1], ARGV[1]) > num(ARGV[2]) then return false end
return redis.call('HGET', KEYS[1], ARGV[1])
""",
)
"""A field of a hash, if it is not longer than any of ours."""

COMMIT: Final = script(
    None,
    _ROWS_OF
    + """
-- variant, row, entry, requested_at, now, ttl, vary_limit
if dropped(text(KEYS[3]), ARGV[4], ARGV[5]) then return false end
if redis.call('HLEN', KEYS[1]) > ROWS then redis.call('UNLINK', KEYS[1], KEYS[2]) end
local gone = {}
local fresh = redis.call('EXISTS', KEYS[1]) == 0
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  redis.call('ZREM', KEYS[2], entry_of(old))
  gone[1] = entry_of(old)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[3])
extend(KEYS[1], fresh, ARGV[6])
extend(KEYS[2], fresh, ARGV[6])
local over = redis.call('HLEN', KEYS[1]) - num(ARGV[7])
if over <= 0 then return gone end
local others = {}
local rows = rows_of(KEYS[1])
for i = 1, #rows, 2 do
  local entry = entry_of(rows[i + 1])
  if entry ~= ARGV[3] then
    others[#others + 1] = {num(redis.call('ZSCORE', KEYS[2], entry) or 0), rows[i], entry}
  end
end
table.sort(others, function(a, b) return a[1] < b[1] end)
for i = 1, math.min(over, #others) do
  redis.call('HDEL', KEYS[1], others[i][2])
  redis.call('ZREM', KEYS[2], others[i][3])
  gone[#gone + 1] = others[i][3]
end
return gone
""",
)
"""Make a record visible; the entries it takes the place of, or nil where it must not be."""

CHANGE: Final = script(
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

TAKE: Final = script(
    None,
    _ROWS_OF
    + """
-- variant and rev, or '' and entry
local rows = rows_of(KEYS[1])
for i = 1, #rows, 2 do
  local seen = rows[i] == ARGV[1] and string.sub(rows[i + 1], 1, 8) == ARGV[2]
  if seen or (ARGV[1] == '' and entry_of(rows[i + 1]) == ARGV[2]) then
    redis.call('HDEL', KEYS[1], rows[i])
    redis.call('ZREM', KEYS[2], entry_of(rows[i + 1]))
    return entry_of(rows[i + 1])
  end
end
return false
""",
)
"""Remove a record; its entry, or nil."""

DROP: Final = script(
    (),
    _ROWS_OF
    + """
-- now, ttl
redis.call('SET', KEYS[3], marked(text(KEYS[3]), ARGV[1]), 'PX', ARGV[2])
local gone = {}
local rows = rows_of(KEYS[1])
for i = 2, #rows, 2 do gone[#gone + 1] = entry_of(rows[i]) end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[4], KEYS[5])
return gone
""",
)
"""Empty and mark a partition and free its lease; the entries that went."""

CLAIM: Final = script(
    (b"open",),
    """
-- token, ttl, the token of a holder that has died, or ''
if lives(KEYS[5]) then return {'open'} end
if lives(KEYS[4]) then
  local holder = text(KEYS[4])
  if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then return {'held', holder} end
end
redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[2])
return {'granted'}
""",
)
"""Take or renew the lease of a partition; what came of it, and whose it is where it is held."""

RELEASE: Final = script(
    0,
    """
-- token, for how long it shall be open: 0 for not
if text(KEYS[4]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[4])
if num(ARGV[2]) > 0 then redis.call('SET', KEYS[5], '1', 'PX', ARGV[2]) end
return 1
""",
)
"""Give a lease back, if this token holds it."""

# -- of a body: KEYS body

WRITE: Final = script(
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

SETTLE: Final = script(
    0,
    """
-- number of chunks, size, hashes, ttl
if redis.call('HLEN', KEYS[1]) ~= num(ARGV[1]) then return 0 end
local size = 0
for i = 0, num(ARGV[1]) - 1 do size = size + redis.call('HSTRLEN', KEYS[1], i) end
if size ~= num(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'hashes', ARGV[3])
extend(KEYS[1], true, ARGV[4])
return 1
""",
)
"""Let a pending body, if it is whole, live as long as its record."""

EXTEND: Final = script(
    0,
    """
-- ttl
extend(KEYS[1], false, ARGV[1])
return 1
""",
)
"""Let a body live longer."""

OF_RECORDS: Final = (*(ENTER, MARK, LOAD, PART, COMMIT, CHANGE, TAKE, DROP, CLAIM, RELEASE, WRITE, SETTLE, EXTEND),)
