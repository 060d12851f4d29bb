"""The scripts of the index: what lies in the store, when it was last used, and when it is due."""

from __future__ import annotations

from typing import Final

from .scripts import OF_RECORDS, script

__all__ = ["SCRIPTS"]

# -- of the index: KEYS used, cost, due

_INDEX: Final = """
local function forget(member)
  local cost = redis.call('HGET', KEYS[2], member)
  if cost then
    redis.call('HDEL', KEYS[2], member)
    redis.call('HINCRBY', KEYS[2], 'total', -num(cost))
  end
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[3], member)
end
local function total() return num(redis.call('HGET', KEYS[2], 'total') or '0') or 0 end
local function sound(members)
  -- What is none of ours nobody outside need hear of.
  local found = {}
  for _, each in ipairs(members) do
    if #each == 49 or #each == 17 or #each == 33 then found[#found + 1] = each end
  end
  return found
end
"""

NOTE: Final = script(
    (0, 0),
    _INDEX
    + """
-- member, cost, due, used ('' to leave it as it is), member to forget or '', requested_at, now
-- KEYS[4]: the mark of all
if KEYS[4] and dropped(text(KEYS[4]), ARGV[6], ARGV[7]) then return {-1, -1} end
local is_number = num(redis.call('HGET', KEYS[2], 'total') or '0')
if not is_number or (ARGV[4] ~= '' and redis.call('EXISTS', KEYS[1]) == 0) then
  -- The first record, or the server has evicted a part of the index: bytes of nobody must not count for ever.
  redis.call('DEL', KEYS[2], KEYS[3])
end
if ARGV[5] ~= '' then forget(ARGV[5]) end
local before = redis.call('HGET', KEYS[2], ARGV[1])
if before or ARGV[4] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[2], 'total', num(ARGV[2]) - num(before or 0))
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
end
if ARGV[4] ~= '' then redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1]) end
return {total(), redis.call('ZCARD', KEYS[1])}
""",
)
"""Note what a record costs and when it is due; bytes and records in all, or twice -1 where it was dropped."""

GROW: Final = script(
    0,
    """
-- member, cost, due
redis.call('HINCRBY', KEYS[2], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[2], 'total', ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1
""",
)
"""Note the bytes of a chunk on its way in."""

FORGET: Final = script(
    0,
    _INDEX
    + """
local before = total()
for _, member in ipairs(ARGV) do forget(member) end
return before - total()
""",
)
"""Forget members; the bytes that they cost."""

DUE: Final = script(
    (0, ()),
    _INDEX
    + """
-- now, limit
local members = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
local before = total()
for _, member in ipairs(members) do forget(member) end
return {before - total(), sound(members)}
""",
)
"""Forget what is due; the bytes that it cost, and what it was."""

EVICT: Final = script(
    (0, ()),
    _INDEX
    + """
-- max_bytes, max_entries (0 for no bound), limit, bytes that a mark counts; KEYS[4]: marks
local gone = {}
local most = num(ARGV[2])
local before = total()
local most_bytes = num(ARGV[1]) - redis.call('ZCARD', KEYS[4]) * num(ARGV[4])
while #gone < num(ARGV[3]) do
  local entries = redis.call('ZCARD', KEYS[1])
  if total() <= most_bytes and (most == 0 or entries <= most) then break end
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not oldest then break end
  forget(oldest)
  gone[#gone + 1] = oldest
end
return {before - total(), sound(gone)}
""",
)
"""Forget the longest unused records above the bound; the bytes that they cost, and which they were."""

FOLD: Final = script(
    (),
    """
-- resource, now, marks at most, how many more may go, ttl; KEYS marks, the mark of all
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', num(ARGV[2]) - 600)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local over = redis.call('ZCARD', KEYS[1]) - num(ARGV[3])
if over <= 0 then return {} end
local last = over + num(ARGV[4]) - 1
local found = redis.call('ZRANGE', KEYS[1], 0, last, 'WITHSCORES')
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, last)
redis.call('SET', KEYS[2], marked(text(KEYS[2]), found[#found]), 'PX', ARGV[5])
local gone = {}
for i = 1, #found, 2 do
  if #found[i] == 32 then gone[#gone + 1] = found[i] end
end
return gone
""",
)
"""Note that a resource was dropped; those whose marks go, since there are too many: one for all takes their place."""

SIZE: Final = script(
    (0, 0),
    _INDEX
    + """
return {redis.call('ZCARD', KEYS[1]), total()}
""",
)
"""Records and bytes."""

LIST: Final = script(
    (b"0", ()),
    """
-- cursor, how many
local cursor, flat = unpack(redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]))
local found = {}
for i = 1, #flat, 2 do
  if #flat[i] == 49 then
    found[#found + 1] = flat[i]
    found[#found + 1] = flat[i + 1]
  end
end
return {cursor, found}
""",
)
"""A batch of members: the next cursor, and members and scores in turn."""

SCRIPTS: Final = {
    sha: each
    for each in (
        *OF_RECORDS,
        *(NOTE, GROW, FORGET, DUE, EVICT, FOLD, SIZE, LIST),
    )
    for sha in (each.sha, each.sha.encode())
}
