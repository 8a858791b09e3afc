/** Reading records, and keeping what was loaded of those that were not known. */
import type { Script } from "../redis-link.js";
import { keeping, prelude } from "./prelude.js";

/**
 * Reads records at one moment. KEYS: prefix of all keys. ARGV: lease or "", then for each partition: its number, its
 * log, how many records, the records. Answers {log time, one list for each partition, then one for each record}. A
 * partition: {sequence, thrown, settled, generation, broken or ""}, or {"gone"}. A record: its string, or {"s",
 * string, deadline}, {"h", deadline or "", {field, value, …}}, {"a"} absent, {"x"} of a foreign type, {"u", parked or
 * "", {overlay name, overlay value, …}} not known, {"l", …} likewise and lost.
 */
export const readScript: Script = {
  name: "read",
  text: `${prelude}
local clock, lease = now(), ARGV[1]
local time, latest = clock, clock
local seen, values = {}, {}
local function other(p, r, hasEnds)
  local kind = redis.call('TYPE', r).ok
  if kind == 'hash' then
    local ends = hasEnds and redis.call('ZSCORE', p .. 'ends', r) or false
    if ends and tonumber(ends) <= time then return {'a'} end
    return {'h', ends or '', redis.call('HGETALL', r)}
  end
  if kind ~= 'none' then return {'x'} end
  local mark = redis.call('HGET', p .. 'pending', r)
  local flag = mark and string.sub(mark, -1)
  if flag == 'a' then return {'a'} end
  if not mark then
    local until_ = redis.call('ZSCORE', p .. 'absent', r)
    if until_ and tonumber(until_) > time then return {'a'} end
  end
  if lease ~= '' then
    -- Whose loads never ended leave theirs behind: so all of them go when there are too many. A Redis that takes no
    -- writes gives no lease, and still answers.
    if redis.call('HLEN', p .. 'leases') >= 100000 then redis.pcall('DEL', p .. 'leases') end
    redis.pcall('HSET', p .. 'leases', r, lease)
  end
  local over = {}
  if flag == 'o' then over = redis.call('HGETALL', p .. 'over:' .. r) end
  local state = 'u'
  if mark and #over == 0 then state = 'l' end
  return {state, redis.call('HGET', p .. 'parked', r) or '', over}
end
local i = 2
while i <= #ARGV do
  local p = KEYS[1] .. ARGV[i] .. ':'
  local m = redis.call('HMGET', p .. 'meta', 'log', 'seq', 'thrown', 'settled', 'generation', 'broken', 'at')
  if m[1] ~= ARGV[i + 1] then seen[#seen + 1] = {'gone'}
  else seen[#seen + 1] = {m[2], m[3] or '0', m[4], m[5] or '0', m[6] or ''} end
  time = math.max(clock, tonumber(m[7] or '0'))
  latest = math.max(latest, time)
  local count = tonumber(ARGV[i + 2])
  local hasEnds = redis.call('EXISTS', p .. 'ends') == 1
  local first = i + 3
  for from = first, first + count - 1, 4000 do
    local upTo = math.min(from + 3999, first + count - 1)
    local found = redis.call('MGET', unpack(ARGV, from, upTo))
    for k = 1, #found do
      local r, v = ARGV[from + k - 1], found[k]
      if not v then v = other(p, r, hasEnds)
      elseif hasEnds then
        local ends = redis.call('ZSCORE', p .. 'ends', r)
        if ends then
          if tonumber(ends) <= time then v = {'a'} else v = {'s', v, ends} end
        end
      end
      values[#values + 1] = v
    end
  end
  i = first + count
end
return {latest, seen, values}
`,
};

/**
 * Records that are pending, then those that are parked. KEYS: prefix. ARGV: log, cursor, about how many. A cursor is
 * "n" or "k" (pending, parked) and a cursor of HSCAN. Answers {'ok', cursor or "", {record, mark, …}}, of which a mark
 * that ends with "a" says that its removal is pending.
 */
export const unsettledScript: Script = {
  name: "unsettled",
  text: `${prelude}
if not isHere(KEYS[1], ARGV[1]) then return {'gone'} end
local isParked = string.sub(ARGV[2], 1, 1) == 'k'
local at = string.sub(ARGV[2], 2)
local found = redis.call('HSCAN', KEYS[1] .. (isParked and 'parked' or 'pending'), at, 'COUNT', ARGV[3])
local marks = {}
for i = 1, #found[2], 2 do
  marks[i] = found[2][i]
  marks[i + 1] = isParked and '' or string.sub(found[2][i + 1], -1)
end
local cursor = (isParked and 'k' or 'n') .. found[1]
if found[1] == '0' then cursor = isParked and '' or 'k0' end
return {'ok', cursor, marks}
`,
};

/**
 * Keeps what was loaded. KEYS: prefix. ARGV: log, lease, absences kept at the most, then for each: record, kind, how
 * long it may be answered (ms), deadline or "", and the string (kind s), n {field value} (kind h), or nothing (kind a).
 * Answers {'ok', {1 or 0 for each}}.
 */
export const fillScript: Script = {
  name: "fill",
  text: `${prelude}${keeping}
local p = KEYS[1]
if not isHere(p, ARGV[1]) then return {'gone'} end
local time = now()
local taken, i, withEnds = {}, 4, 0
-- A Redis that has no memory left, or takes no writes, keeps nothing of it. This command does nothing but be refused.
local isFull = type(redis.pcall('SETRANGE', p .. 'room', 0, '')) == 'table'
if not isFull then sweepAbsent(p, time) end
local function put(r, kind, from, count)
  if kind == 's' then redis.call('SET', r, ARGV[from]) return end
  redis.call('DEL', r)
  for k = from, from + 2 * count - 1, 4000 do
    redis.call('HSET', r, unpack(ARGV, k, math.min(k + 3999, from + 2 * count - 1)))
  end
  if count == 0 then redis.call('HSET', r, 'write-behind:no fields', '') end
end
while i <= #ARGV do
  local r, kind, fresh, deadline = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local from, count = i + 4, 0
  if kind == 's' then i = from + 1
  elseif kind == 'h' then
    count = tonumber(ARGV[from])
    from = from + 1
    i = from + 2 * count
  else i = from end
  local mark = redis.call('HGET', p .. 'pending', r)
  local flag = mark and string.sub(mark, -1)
  local holds = not isFull and redis.call('HGET', p .. 'leases', r) == ARGV[2]
  if holds then redis.call('HDEL', p .. 'leases', r) end
  if not holds or (mark and flag == 'a') or (mark and kind == 'a') then taken[#taken + 1] = 0
  else
    taken[#taken + 1] = 1
    if kind == 'a' then
      remember(p, r, time, fresh, tonumber(ARGV[3]))
    else
      put(r, kind, from, count)
      redis.call('ZREM', p .. 'absent', r)
      if deadline == '' then redis.call('ZREM', p .. 'ends', r)
      else
        redis.call('ZADD', p .. 'ends', deadline, r)
        withEnds = withEnds + 1
      end
      if mark then
        redis.call('HSET', p .. 'pending', r, string.match(mark, '^%d+'))
        if redis.call('SREM', p .. 'overs', r) == 1 then redis.call('DEL', p .. 'over:' .. r) end
      else
        local lives = fresh
        if deadline ~= '' then lives = math.min(lives, tonumber(deadline) - time) end
        if lives > 0 then redis.call('PEXPIRE', r, digits(math.ceil(lives))) else redis.call('DEL', r) end
      end
    end
  end
end
sweepEnds(p, withEnds)
return {'ok', taken}
`,
};
