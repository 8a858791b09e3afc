/** The writers' side of a partition: how it is, its frames, and what the database has reached. */
import type { Script } from "../redis-link.js";
import { baseOfMeta } from "./base.js";
import { keeping, owning, prelude } from "./prelude.js";

/**
 * The fleet. KEYS: prefix of all keys. ARGV: id and number of partitions of the fleet that may be made, or nothing.
 * Answers {id, partitions, version}, {} where there is none, or {'damaged'} where there are partitions without a fleet:
 * what is pending there is never taken for nothing.
 */
export const fleetScript: Script = {
  name: "fleet",
  text: `${prelude}
local key = KEYS[1] .. 'fleet'
local found = redis.call('HMGET', key, 'id', 'partitions', 'version')
if found[1] then return found end
if #ARGV == 0 then return {} end
for p = 0, tonumber(ARGV[2]) - 1 do
  if redis.call('EXISTS', KEYS[1] .. p .. ':meta', KEYS[1] .. p .. ':log') > 0 then return {'damaged'} end
end
for p = 0, tonumber(ARGV[2]) - 1 do
  local log = ARGV[1] .. string.format('%08x', p)
  redis.call('HSET', KEYS[1] .. p .. ':meta', 'log', log, 'epoch', '1', 'epochs', '1:0', 'seq', '0', 'tag', '0',
    'at', '0', 'stored', '0', 'storedTag', '0', 'storedAt', '0', 'settled', '0', 'bytes', '0', 'thrown', '0',
    'claim', '0')
end
redis.call('HSET', key, 'id', ARGV[1], 'partitions', ARGV[2], 'version', '1')
return {ARGV[1], ARGV[2], '1'}
`,
};

/**
 * How partitions are. KEYS: prefix of all keys. ARGV: partition and log of each. Answers {time, a list for each}: the
 * fields of meta below, the number of pending records, the owner, the last aim, the base; {"gone"} where it is not there.
 */
export const statesScript: Script = {
  name: "states",
  text: `${prelude}${baseOfMeta}
local seen = {now()}
for i = 1, #ARGV, 2 do
  local p = KEYS[1] .. ARGV[i] .. ':'
  local m = redis.call('HMGET', p .. 'meta', 'log', 'seq', 'tag', 'stored', 'storedTag', 'storedAt', 'bytes', 'oldest',
    'broken', 'letters', 'behind', 'heard', 'settled')
  if m[1] ~= ARGV[i + 1] then seen[#seen + 1] = {'gone'}
  else
    for k = 1, 13 do m[k] = m[k] or '' end
    m[14] = redis.call('HLEN', p .. 'pending')
    m[15] = redis.call('HGET', KEYS[1] .. 'owners', ARGV[i]) or ''
    m[16] = lastAim(p)
    m[17] = seenBase(p, baseOf(p))
    seen[#seen + 1] = m
  end
end
return seen
`,
};

/**
 * Entries after a frame. KEYS: prefix. ARGV: log, sequence, bytes at the most. Answers {'ok', {id, {name, value, …}},
 * …}.
 */
export const framesScript: Script = {
  name: "frames",
  text: `${prelude}
local p = KEYS[1]
if not isHere(p, ARGV[1]) then return {'gone'} end
local from, bytesMax, bytes = idOf(p, tonumber(ARGV[2]) + 1), tonumber(ARGV[3]), 0
local many = bytesMax == 1 and 1 or 16
local found = {'ok'}
while true do
  local some = redis.call('XRANGE', p .. 'log', from, '+', 'COUNT', many)
  for k = 1, #some do
    local size = 0
    for _, text in ipairs(some[k][2]) do size = size + #text end
    if bytes > 0 and bytes + size > bytesMax then return found end
    bytes = bytes + size
    found[#found + 1] = some[k]
  end
  if #some < many or bytes >= bytesMax then return found end
  from = '(' .. some[many][1]
end
`,
};

/**
 * Records of a committed run are settled: clean ones may be forgotten. KEYS: prefix. ARGV: log, claim, up to which
 * sequence, how long a clean record and an absence stay (ms), absences kept at the most, the settling before or "",
 * this one, the records. A record with a later change stays pending; where it was not to stay at all, it goes as soon
 * as it is clean (`doubts`). Answers {'ok', 1, or 0 where it does not follow}.
 */
export const settleScript: Script = {
  name: "settle",
  text: `${prelude}${owning}${keeping}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
if ARGV[7] ~= '' and redis.call('HGET', p .. 'meta', 'settling') ~= ARGV[7] then return {'ok', 0} end
evenWhenFull(p .. 'meta')
redis.call('HSET', p .. 'meta', 'settling', ARGV[8])
local upTo, fresh, absent = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = now()
local settled = tonumber(redis.call('HGET', p .. 'meta', 'settled'))
if upTo > settled then redis.call('HSET', p .. 'meta', 'settled', ARGV[3]) end
local hasEnds = redis.call('EXISTS', p .. 'ends') == 1
local most, withEnds = tonumber(ARGV[6]), 0
local doubts = redis.call('EXISTS', p .. 'doubts') == 1
sweepAbsent(p, time)
local done = {}
for i = 9, #ARGV do
  local r = ARGV[i]
  local mark = redis.call('HGET', p .. 'pending', r)
  if mark and tonumber(string.match(mark, '^%d+')) <= upTo then
    done[#done + 1] = r
    local flag = string.sub(mark, -1)
    if flag == 'o' then
      redis.call('SREM', p .. 'overs', r)
      redis.call('DEL', p .. 'over:' .. r)
      redis.call('HDEL', p .. 'leases', r)
    elseif flag == 'a' then
      remember(p, r, time, absent, most)
    else
      local lives = fresh
      if doubts and redis.call('SREM', p .. 'doubts', r) == 1 then lives = 0 end
      if hasEnds then
        local ends = redis.call('ZSCORE', p .. 'ends', r)
        if ends then
          lives = math.min(lives, tonumber(ends) - time)
          withEnds = withEnds + 1
        end
      end
      if lives > 0 then redis.call('PEXPIRE', r, digits(math.ceil(lives))) else redis.call('DEL', r) end
    end
    if #done == 2000 then redis.call('HDEL', p .. 'pending', unpack(done)) done = {} end
  elseif mark and fresh <= 0 then redis.call('SADD', p .. 'doubts', r) end
end
if #done > 0 then redis.call('HDEL', p .. 'pending', unpack(done)) end
sweepEnds(p, withEnds)
return {'ok', 1}
`,
};

/**
 * The database has reached a position. KEYS: prefix, prefix of all keys. ARGV: log, claim, sequence, tag, log time,
 * generation, trim to, bytes that are not pending any more, partition, the telling before or "", this one, the settling
 * that was before it or "". Answers {'ok', 1, or 0 where it does not follow}.
 */
export const storedScript: Script = {
  name: "stored",
  text: `${prelude}${owning}${baseOfMeta}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
evenWhenFull(p .. 'meta')
local heard = redis.call('HMGET', p .. 'meta', 'heard', 'settling')
if ARGV[12] ~= '' and heard[2] ~= ARGV[12] and heard[1] ~= ARGV[11] then return {'ok', 0} end
local answer = unheard(p, ARGV[10], ARGV[11])
if answer then return answer end
local sequence = tonumber(ARGV[3])
local m = redis.call('HMGET', p .. 'meta', 'seq', 'bytes', 'settled')
local bytes = tonumber(m[2]) - tonumber(ARGV[8])
local b = baseOf(p)
if b and tonumber(b.to) <= sequence then
  bytes = bytes - tonumber(b.bytes)
  redis.call('UNLINK', p .. 'base')
  redis.call('HDEL', p .. 'meta', 'base')
  b = nil
end
if sequence == tonumber(m[1]) or bytes < 0 then bytes = 0 end
redis.call('HSET', p .. 'meta', 'stored', ARGV[3], 'storedTag', ARGV[4], 'storedAt', ARGV[5], 'generation', ARGV[6],
  'bytes', digits(bytes))
if tonumber(m[3]) < sequence then redis.call('HSET', p .. 'meta', 'settled', ARGV[3]) end
local next = redis.call('XRANGE', p .. 'log', idOf(p, sequence + 1), '+', 'COUNT', 1)
redis.call('HDEL', p .. 'meta', 'oldest')
local oldest = next[1] and next[1][2][2]
if b and tonumber(b.from) <= sequence then oldest = b.oldest end
if oldest then redis.call('HSET', p .. 'meta', 'oldest', oldest) end
redis.call('XTRIM', p .. 'log', 'MINID', idOf(p, tonumber(ARGV[7])))
redis.call('ZREMRANGEBYSCORE', p .. 'aims', '-inf', '(' .. ARGV[3])
redis.call('ZREMRANGEBYSCORE', p .. 'parkedFrames', '-inf', '(' .. ARGV[7])
redis.call('PUBLISH', KEYS[2] .. 'news', 'stored ' .. ARGV[9] .. ' ' .. ARGV[3])
return {'ok', 1}
`,
};

/**
 * What is parked has changed. The value of a record that is thrown away goes also where the record is pending: it was
 * made of what is given up. The log has its changes. KEYS: prefix. ARGV: log, claim, the telling before or "", this
 * one, letters, waiting behind, 1 where all of it is new, then n {record, change}, n {record}, n {sequence, letter}, n
 * {record to be thrown away}. Answers {'ok', 1, or 0 where it does not follow}.
 */
export const parkedScript: Script = {
  name: "parked",
  text: `${prelude}${owning}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
evenWhenFull(p .. 'meta')
local answer = unheard(p, ARGV[3], ARGV[4])
if answer then return answer end
redis.call('HSET', p .. 'meta', 'letters', ARGV[5], 'behind', ARGV[6])
local before = {}
if ARGV[7] == '1' then
  before = redis.call('HKEYS', p .. 'parked')
  redis.call('DEL', p .. 'parked')
end
local i = 8
local function each(size, call)
  local count = tonumber(ARGV[i])
  i = i + 1
  for k = 1, count do
    call(i)
    i = i + size
  end
end
each(2, function(at) redis.call('HSET', p .. 'parked', ARGV[at], ARGV[at + 1]) end)
each(1, function(at) redis.call('HDEL', p .. 'parked', ARGV[at]) end)
each(2, function(at)
  redis.call('ZREMRANGEBYSCORE', p .. 'parkedFrames', ARGV[at], ARGV[at])
  redis.call('ZADD', p .. 'parkedFrames', ARGV[at], ARGV[at] .. ' ' .. ARGV[at + 1])
end)
local gone = 0
local function throwAway(r)
  gone = gone + 1
  redis.call('HDEL', p .. 'leases', r)
  redis.call('ZREM', p .. 'absent', r)
  redis.call('DEL', r)
end
for _, r in ipairs(before) do
  if redis.call('HEXISTS', p .. 'parked', r) == 0 then throwAway(r) end
end
each(1, function(at) throwAway(ARGV[at]) end)
if gone > 0 then redis.call('HINCRBY', p .. 'meta', 'thrown', 1) end
return {'ok', 1}
`,
};

/** Frames that are parked. KEYS: prefix. ARGV: log, first and last sequence. Answers {'ok', {"sequence letter", …}}. */
export const parkedBetweenScript: Script = {
  name: "parkedBetween",
  text: `${prelude}
if not isHere(KEYS[1], ARGV[1]) then return {'gone'} end
return {'ok', redis.call('ZRANGEBYSCORE', KEYS[1] .. 'parkedFrames', ARGV[2], ARGV[3])}
`,
};

/** The partition stops, or goes on. KEYS: prefix. ARGV: log, and why it stops or "". */
export const breakScript: Script = {
  name: "break",
  text: `${prelude}
local meta = KEYS[1] .. 'meta'
if not isHere(KEYS[1], ARGV[1]) then return {'gone'} end
redis.call('HDEL', meta, 'broken')
if ARGV[2] ~= '' then redis.call('HSET', meta, 'broken', ARGV[2]) end
return {'ok'}
`,
};

/** Takes the orders left for a partition. KEYS: prefix. ARGV: log, claim. Answers {'ok', {id, text, …}}. */
export const ordersScript: Script = {
  name: "orders",
  text: `${owning}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
local found = redis.call('LRANGE', p .. 'orders', 0, -1)
redis.call('DEL', p .. 'orders')
return {'ok', found}
`,
};

/**
 * Replaces a note. KEYS: prefix of all keys. ARGV: name, text before (or ""), text. 1, or 0 where it was another one.
 */
export const noteScript: Script = {
  name: "note",
  text: `
local before = redis.call('HGET', KEYS[1] .. 'notes', ARGV[1]) or ''
if before ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1] .. 'notes', ARGV[1], ARGV[3])
return 1
`,
};
