/**
 * The base of a partition: what the head of its log has made of each record, so that a database that is down costs
 * memory by record and not by change. `meta` has it as "from tag to tag log-time oldest-log-time bytes", the hash
 * `base` its records; `aims` are positions that the database may have reached, "sequence tag" by sequence.
 */
import type { Script } from "../redis-link.js";
import { owning, prelude } from "./prelude.js";

/** For what looks at the base: it as a table, as it is answered, and the highest aim. */
export const baseOfMeta = `
local function baseOf(p)
  local text = redis.call('HGET', p .. 'meta', 'base')
  if not text then return nil end
  local b = {}
  b.from, b.fromTag, b.to, b.toTag, b.at, b.oldest, b.bytes =
    string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return b
end
local function seenBase(p, b)
  if not b then return {} end
  return {b.from, b.fromTag, b.to, b.toTag, b.at, b.bytes, redis.call('HLEN', p .. 'base')}
end
local function lastAim(p)
  return redis.call('ZREVRANGE', p .. 'aims', 0, 0)[1] or ''
end
`;

/** A commit is to reach a position. KEYS: prefix. ARGV: log, claim, sequence, tag. */
export const aimScript: Script = {
  name: "aim",
  text: `${owning}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
evenWhenFull(p .. 'meta')
redis.call('ZREMRANGEBYSCORE', p .. 'aims', ARGV[3], ARGV[3])
redis.call('ZADD', p .. 'aims', ARGV[3], ARGV[3] .. ' ' .. ARGV[4])
return {'ok'}
`,
};

/**
 * The tag of an aim. KEYS: prefix. ARGV: log, sequence. Answers {'ok', "sequence tag" or ""}. One beyond the log is of a
 * frame that was lost: it is no place of this log.
 */
export const aimAtScript: Script = {
  name: "aimAt",
  text: `${prelude}
if not isHere(KEYS[1], ARGV[1]) then return {'gone'} end
if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1] .. 'meta', 'seq')) then return {'ok', ''} end
return {'ok', redis.call('ZRANGEBYSCORE', KEYS[1] .. 'aims', ARGV[2], ARGV[2])[1] or ''}
`,
};

/**
 * Frames become part of the base. KEYS: prefix. ARGV: log, claim, sequence and tag after which they are, sequence and
 * tag of the last, log times of the first and the last, their bytes of log, then record and base entry of each
 * record. Answers {'ok', 1}, or 0 where nothing was done. The base is put first and the log goes last: whatever
 * stands in both is the same.
 */
export const compactScript: Script = {
  name: "compact",
  text: `${prelude}${owning}${baseOfMeta}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
local after, to = tonumber(ARGV[3]), tonumber(ARGV[5])
local b = baseOf(p)
local m = redis.call('HMGET', p .. 'meta', 'seq', 'stored', 'bytes')
if to <= after or to > tonumber(m[1]) then return {'ok', 0} end
if b then
  if b.to ~= ARGV[3] or b.toTag ~= ARGV[4] then return {'ok', 0} end
else
  if tonumber(m[2]) > after then return {'ok', 0} end
  b = {from = ARGV[3], fromTag = ARGV[4], oldest = ARGV[7], bytes = '0'}
end
evenWhenFull(p .. 'meta')
if b.bytes == '0' then redis.call('UNLINK', p .. 'base') end
local grown, puts = 0, {}
for i = 10, #ARGV, 2 do
  local old = redis.call('HSTRLEN', p .. 'base', ARGV[i])
  if old == 0 then grown = grown + #ARGV[i] end
  grown = grown + #ARGV[i + 1] - old
  puts[#puts + 1], puts[#puts + 2] = ARGV[i], ARGV[i + 1]
  if #puts >= 4000 then redis.call('HSET', p .. 'base', unpack(puts)) puts = {} end
end
if #puts > 0 then redis.call('HSET', p .. 'base', unpack(puts)) end
local size = digits(tonumber(b.bytes) + grown)
redis.call('HSET', p .. 'meta',
  'base', table.concat({b.from, b.fromTag, ARGV[5], ARGV[6], ARGV[8], b.oldest, size}, ' '),
  'bytes', digits(math.max(0, tonumber(m[3]) + grown - tonumber(ARGV[9]))))
-- The entries that hold the frames at both ends stay: positions are compared with them.
local first = redis.call('XRANGE', p .. 'log', idOf(p, tonumber(b.from)), '+', 'COUNT', 1)[1]
local ending = redis.call('XRANGE', p .. 'log', idOf(p, to), '+', 'COUNT', 1)[1]
if tonumber(b.from) == 0 then first = nil end
local from = first and '(' .. first[1] or '-'
while ending do
  local some = redis.call('XRANGE', p .. 'log', from, '(' .. ending[1], 'COUNT', 200)
  if #some == 0 then break end
  local ids = {}
  for k = 1, #some do ids[k] = some[k][1] end
  redis.call('XDEL', p .. 'log', unpack(ids))
end
return {'ok', 1}
`,
};

/**
 * What the base has of records. KEYS: prefix. ARGV: log, bytes at the most, records. Answers {'ok', the base, entries
 * or "" of the first records}.
 */
export const baseOfScript: Script = {
  name: "baseOf",
  text: `${prelude}${baseOfMeta}
local p = KEYS[1]
if not isHere(p, ARGV[1]) then return {'gone'} end
local b, found, bytes = baseOf(p), {}, 0
local bytesMax = tonumber(ARGV[2])
for from = 3, #ARGV, 100 do
  if bytes > bytesMax then break end
  local some = redis.call('HMGET', p .. 'base', unpack(ARGV, from, math.min(from + 99, #ARGV)))
  for k = 1, #some do
    if bytes > bytesMax then break end
    found[#found + 1] = some[k] or ''
    bytes = bytes + #found[#found]
  end
end
return {'ok', seenBase(p, b), found}
`,
};

/** Records of the base. KEYS: prefix. ARGV: log, cursor, about how many. Answers {'ok', cursor, {record, entry, …}}. */
export const baseRecordsScript: Script = {
  name: "baseRecords",
  text: `${prelude}
if not isHere(KEYS[1], ARGV[1]) then return {'gone'} end
local found = redis.call('HSCAN', KEYS[1] .. 'base', ARGV[2], 'COUNT', ARGV[3])
return {'ok', found[1], found[2]}
`,
};
