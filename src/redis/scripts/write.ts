/**
 * Writing: the value under the record's own key and the change in the partition's log, in one step. All is checked
 * first, the log comes next and the values last, because Redis takes nothing back of a script that fails half way
 * (promise 1: a change that is in the log reaches the database, whatever became of its value).
 */
import type { Script } from "../redis-link.js";
import { prelude } from "./prelude.js";

/** Says why nothing can be written, or takes sequences. m: log, seq, at, settled, bytes, oldest, broken. */
const begin = `
local p = KEYS[1]
local m = redis.call('HMGET', p .. 'meta', 'log', 'seq', 'at', 'settled', 'bytes', 'oldest', 'broken', 'epoch')
if m[1] ~= ARGV[1] then return {'gone', m[1]} end
if m[7] then return {'broken', m[7]} end
local time = now()
if tonumber(m[3]) > time then time = tonumber(m[3]) end
local sequence = tonumber(m[2])
local pendingBytes = tonumber(m[5])
local bytesMax, recordsMax, ageMax = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local pending = redis.call('HLEN', p .. 'pending')
local full = nil
if pendingBytes > 0 and pendingBytes >= bytesMax then full = 'bytes'
elseif ageMax > 0 and m[6] and time - tonumber(m[6]) >= ageMax then full = 'age' end
local function append(fields, count, bytes, tag)
  local last = sequence + count
  redis.call('XADD', p .. 'log', m[8] .. '-' .. digits(last), unpack(fields))
  redis.call('HSET', p .. 'meta', 'seq', digits(last), 'tag', tag, 'at', digits(time),
    'bytes', digits(pendingBytes + bytes))
  if not m[6] then redis.call('HSET', p .. 'meta', 'oldest', digits(time)) end
end
`;

/**
 * Frames that each replace one record by a string. KEYS: prefix. ARGV: log, bytesMax, recordsMax, ageMax, bytes, last
 * tag, heads, then record and string of each. Answers {'ok', first sequence} or why nothing was written.
 */
export const setScript: Script = {
  name: "set",
  text: `${prelude}${begin}
local first, last = 8, #ARGV
local count = (last - first + 1) / 2
if not full and pending + count > recordsMax then
  for i = first, last, 2 do
    if redis.call('HEXISTS', p .. 'pending', ARGV[i]) == 0 then
      pending = pending + 1
      if pending > recordsMax then full = 'records' break end
    end
  end
end
if full then return {'full', full} end
append({'1', digits(time), '@', ARGV[7], unpack(ARGV, first, last)}, count, tonumber(ARGV[5]), ARGV[6])
redis.call('MSET', unpack(ARGV, first, last))
-- The strings are written: their sequences take their places. As a number each is cheaper than by digits().
for i = 1, count do ARGV[first + 2 * i - 1] = sequence + i end
redis.call('HSET', p .. 'pending', unpack(ARGV, first, last))
if touched(p) then
  local records = {}
  for i = 1, count do records[i] = ARGV[first + 2 * i - 2] end
  redis.call('ZREM', p .. 'ends', unpack(records))
  redis.call('ZREM', p .. 'absent', unpack(records))
  redis.call('HDEL', p .. 'leases', unpack(records))
  for i = 1, count do
    if redis.call('SREM', p .. 'overs', records[i]) == 1 then redis.call('DEL', p .. 'over:' .. records[i]) end
  end
end
return {'ok', sequence + 1}
`,
};

/**
 * What a change does to what is known of its record. `over`: a merge of a hash whose row is not known is kept beside
 * it, "=field" set, "-field" taken out, "!" the expiry ("" cleared).
 */
const apply = `
local emptyHash = 'write-behind:no fields'
local function forget(r)
  redis.call('ZREM', p .. 'absent', r)
  redis.call('HDEL', p .. 'leases', r)
end
local function whole(r)
  if redis.call('SREM', p .. 'overs', r) == 1 then redis.call('DEL', p .. 'over:' .. r) end
end
local function ends(r, at)
  if at == '' then redis.call('ZREM', p .. 'ends', r) else redis.call('ZADD', p .. 'ends', at, r) end
end
local function putFields(key, from, count, prefix)
  local made = {}
  for i = 0, count - 1 do
    made[#made + 1] = prefix .. ARGV[from + 2 * i]
    made[#made + 1] = ARGV[from + 2 * i + 1]
    if #made >= 2000 then redis.call('HSET', key, unpack(made)) made = {} end
  end
  if #made > 0 then redis.call('HSET', key, unpack(made)) end
end
local function dropFields(key, from, step, count, prefix)
  local gone = {}
  for i = 0, count - 1 do
    gone[#gone + 1] = prefix .. ARGV[from + step * i]
    if #gone >= 2000 then redis.call('HDEL', key, unpack(gone)) gone = {} end
  end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end
-- What a record that is merged into is: 'hash', 'other', 'absent' (its removal is pending), 'over' (not known), or
-- 'lost' (pending, and only the log has it: then there is nothing to merge into, and a reader is told so).
local function baseOf(r)
  local kind = redis.call('TYPE', r).ok
  if kind ~= 'none' then
    redis.call('PERSIST', r)
    return kind == 'hash' and 'hash' or 'other'
  end
  local mark = redis.call('HGET', p .. 'pending', r)
  if not mark then return 'over' end
  local flag = string.sub(mark, -1)
  if flag == 'a' then return 'absent' end
  return flag == 'o' and 'over' or 'lost'
end
local function noFields(r)
  if redis.call('EXISTS', r) == 0 then redis.call('HSET', r, emptyHash, '') end
end
local function merge(r, i, seq)
  local deadline, set = ARGV[i + 3], tonumber(ARGV[i + 4])
  local from = i + 5
  local unset = tonumber(ARGV[from + 2 * set])
  local gone = from + 2 * set + 1
  local base = baseOf(r)
  if base == 'other' then redis.call('DEL', r) end
  if base == 'over' then
    local key = p .. 'over:' .. r
    redis.call('SADD', p .. 'overs', r)
    dropFields(key, gone, 1, unset, '=')
    for k = 0, unset - 1 do redis.call('HSET', key, '-' .. ARGV[gone + k], '') end
    dropFields(key, from, 2, set, '-')
    putFields(key, from, set, '=')
    if deadline ~= '=' then redis.call('HSET', key, '!', deadline) end
    if redis.call('EXISTS', key) == 0 then redis.call('HSET', key, '?', '') end
    redis.call('HSET', p .. 'pending', r, digits(seq) .. 'o')
  else
    redis.call('HSET', p .. 'pending', r, digits(seq))
    if base == 'lost' then return gone + unset end
    if base == 'absent' then ends(r, '') end
    dropFields(r, gone, 1, unset, '')
    putFields(r, from, set, '')
    if set > 0 then redis.call('HDEL', r, emptyHash) end
    noFields(r)
    if deadline ~= '=' then ends(r, deadline) end
  end
  return gone + unset
end
local function expiry(r, i, seq)
  local deadline = ARGV[i + 3]
  local base = baseOf(r)
  if base == 'over' then
    local key = p .. 'over:' .. r
    redis.call('SADD', p .. 'overs', r)
    if deadline == '=' then redis.call('HSET', key, '?', '') else redis.call('HSET', key, '!', deadline) end
    redis.call('HSET', p .. 'pending', r, digits(seq) .. 'o')
  else
    redis.call('HSET', p .. 'pending', r, digits(seq))
    if base == 'lost' then return i + 4 end
    if base == 'absent' then
      ends(r, '')
      noFields(r)
    end
    if deadline ~= '=' then ends(r, deadline) end
  end
  return i + 4
end
-- Applies the change at ARGV[i]; says where the next one begins.
local function applyAt(i, seq)
  local kind, r = ARGV[i], ARGV[i + 1]
  forget(r)
  if kind == 'M' then return merge(r, i, seq) end
  if kind == 'E' then return expiry(r, i, seq) end
  whole(r)
  if kind == 'R' then
    redis.call('DEL', r)
    ends(r, '')
    redis.call('HSET', p .. 'pending', r, digits(seq) .. 'a')
    return i + 3
  end
  redis.call('HSET', p .. 'pending', r, digits(seq))
  if kind == 'S' then
    redis.call('SET', r, ARGV[i + 2])
    ends(r, '')
    return i + 3
  end
  if kind == 'X' then
    redis.call('SET', r, ARGV[i + 3])
    ends(r, ARGV[i + 4])
    return i + 5
  end
  local set = tonumber(ARGV[i + 4])
  redis.call('DEL', r)
  putFields(r, i + 5, set, '')
  if set == 0 then redis.call('HSET', r, emptyHash, '') end
  ends(r, ARGV[i + 3])
  return i + 5 + 2 * set
end
-- Where the change behind the one at ARGV[i] begins.
local function after(i)
  local kind = ARGV[i]
  if kind == 'S' or kind == 'R' then return i + 3 end
  if kind == 'X' then return i + 5 end
  if kind == 'E' then return i + 4 end
  local set = tonumber(ARGV[i + 4])
  local behind = i + 5 + 2 * set
  if kind == 'H' then return behind end
  return behind + 1 + tonumber(ARGV[behind])
end
`;

/**
 * Any frames. KEYS: prefix. ARGV: log, bytesMax, recordsMax, ageMax, log time by which they were made, number of
 * frames, then for each: name, head, bytes, tag, number of records it was made from, {record, sequence, thrown}, number
 * of changes, and each of these:
 *
 *     S record payload                          replace by the string that is the payload
 *     X record payload string expiry            replace by a string; expiry "" for none
 *     H record payload expiry n {field value}   replace by a hash
 *     M record payload expiry n {field value} n {field}   merge; expiry "=" keeps, "" clears
 *     E record payload expiry                   the expiry alone
 *     R record payload                          remove
 *
 * Answers {'ok', {sequence, or 0 for a conflict, or -1, -2, -3 for no room in bytes, records, age}} or why nothing was
 * written.
 */
export const writeScript: Script = {
  name: "write",
  text: `${prelude}${begin}${apply}
time = math.max(time, tonumber(ARGV[5]))
local thrown = redis.call('HGET', p .. 'meta', 'thrown') or '0'
local settledTo = tonumber(m[4])
local written = {}
-- Whether nothing has written a record since the partition was at this sequence.
local function unchanged(r, at, thrownThen)
  if written[r] or thrownThen ~= thrown then return false end
  local mark = redis.call('HGET', p .. 'pending', r)
  if mark then return tonumber(string.match(mark, '^%d+')) <= at end
  return settledTo <= at
end
local why = {bytes = -1, records = -2, age = -3}
local outcomes, fields, starts, counts = {}, {'1', digits(time)}, {}, {}
local bytes, tag, i, taken = 0, nil, 7, 0
-- A change takes three arguments at least: so where this is not so, every record has room.
local near = pending + #ARGV / 3 > recordsMax
for f = 1, tonumber(ARGV[6]) do
  local name, head, size, frameTag = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local from = tonumber(ARGV[i + 4])
  i = i + 5
  local holds = true
  for k = 1, from do
    if not unchanged(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]) then holds = false end
    i = i + 3
  end
  local changes = tonumber(ARGV[i])
  i = i + 1
  local start, fresh, records, pairsOf = i, 0, {}, {}
  for k = 1, changes do
    local r = ARGV[i + 1]
    records[k] = r
    if name == '#' then pairsOf[2 * k - 1], pairsOf[2 * k] = r, ARGV[i + 2] end
    if near and redis.call('HEXISTS', p .. 'pending', r) == 0 and not written[r] then
      fresh = fresh + 1
    end
    i = after(i)
  end
  local no = full
  if not no and fresh > 0 and pending + fresh > recordsMax then no = 'records' end
  if not holds then outcomes[f] = 0
  elseif no then outcomes[f] = why[no]
  else
    taken = taken + 1
    outcomes[f] = sequence + taken
    fields[#fields + 1], fields[#fields + 2] = name, head
    for k = 1, #pairsOf do fields[#fields + 1] = pairsOf[k] end
    starts[taken], counts[taken] = start, changes
    for k = 1, changes do written[records[k]] = true end
    bytes, tag, pending = bytes + size, frameTag, pending + fresh
  end
end
if taken == 0 then return {'ok', outcomes} end
append(fields, taken, bytes, tag)
for f = 1, taken do
  local at = starts[f]
  for k = 1, counts[f] do at = applyAt(at, sequence + f) end
end
return {'ok', outcomes}
`,
};

/** Whether nothing has changed. KEYS: prefix. ARGV: log, then record, sequence, thrown of each. 1 or 0. */
export const unchangedScript: Script = {
  name: "unchanged",
  text: `${prelude}
local p = KEYS[1]
local m = redis.call('HMGET', p .. 'meta', 'log', 'settled', 'thrown')
if m[1] ~= ARGV[1] then return {'gone', m[1]} end
for i = 2, #ARGV, 3 do
  if ARGV[i + 2] ~= (m[3] or '0') then return {'ok', 0} end
  local mark = redis.call('HGET', p .. 'pending', ARGV[i])
  local last = mark and tonumber(string.match(mark, '^%d+')) or tonumber(m[2])
  if last > tonumber(ARGV[i + 1]) then return {'ok', 0} end
end
return {'ok', 1}
`,
};
