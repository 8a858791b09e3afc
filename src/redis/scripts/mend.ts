/** What a person's decision does to a partition that had stopped. */
import type { Script } from "../redis-link.js";
import { baseOfMeta } from "./base.js";
import { owning, prelude } from "./prelude.js";

/**
 * What is known of records is forgotten, but for later changes. KEYS: prefix. ARGV: log, claim, up to which
 * sequence, the records. What is not pending and never forgotten by itself is somebody else's key.
 */
export const forgetScript: Script = {
  name: "forget",
  text: `${prelude}${owning}
local p = KEYS[1]
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
evenWhenFull(p .. 'meta')
local upTo = tonumber(ARGV[3])
for i = 4, #ARGV do
  local r = ARGV[i]
  local mark = redis.call('HGET', p .. 'pending', r)
  local later = mark and tonumber(string.match(mark, '^%d+')) > upTo
  if mark and not later then
    redis.call('HDEL', p .. 'pending', r)
    if redis.call('SREM', p .. 'overs', r) == 1 then redis.call('DEL', p .. 'over:' .. r) end
    local kind = redis.call('TYPE', r).ok
    if kind == 'string' or kind == 'hash' then redis.call('DEL', r) end
  elseif not mark and redis.call('PTTL', r) > 0 then
    redis.call('DEL', r)
  end
  if not later then
    redis.call('ZREM', p .. 'ends', r)
    redis.call('SREM', p .. 'doubts', r)
  end
end
return {'ok'}
`,
};

/**
 * The partition goes on. KEYS: prefix, prefix of all keys. ARGV: log, claim, sequence, tag, log time, generation, last
 * frame of the log, bytes after the position. Answers {'ok', 1}, or 0 where the log has another last frame.
 */
export const mendScript: Script = {
  name: "mend",
  text: `${prelude}${owning}${baseOfMeta}
local p = KEYS[1]
local meta = p .. 'meta'
local no = refused(p, ARGV[1], ARGV[2])
if no then return no end
local m = redis.call('HMGET', meta, 'seq', 'epoch', 'epochs', 'settled')
if m[1] ~= ARGV[7] then return {'ok', 0} end
evenWhenFull(meta)
local epoch = digits(tonumber(m[2]) + 1)
local sequence = tonumber(ARGV[3])
-- A base that follows the position goes on being pending; no commit of before counts any more.
local b = baseOf(p)
if b and tonumber(b.to) <= sequence then
  redis.call('UNLINK', p .. 'base')
  redis.call('HDEL', meta, 'base')
  b = nil
end
redis.call('DEL', p .. 'aims')
-- What is settled stays so: while the database is before that, it must not be asked.
redis.call('HSET', meta, 'epoch', epoch, 'epochs', m[3] .. ' ' .. epoch .. ':' .. digits(tonumber(m[1]) + 1),
  'stored', ARGV[3], 'storedTag', ARGV[4], 'storedAt', ARGV[5], 'generation', ARGV[6],
  'bytes', digits(tonumber(ARGV[8]) + (b and tonumber(b.bytes) or 0)),
  'settled', digits(math.max(sequence, tonumber(m[4]))))
redis.call('HDEL', meta, 'broken')
redis.call('HINCRBY', meta, 'thrown', 1)
redis.call('DEL', p .. 'absent', p .. 'leases')
redis.call('ZREMRANGEBYSCORE', p .. 'parkedFrames', '(' .. ARGV[3], '+inf')
local next = redis.call('XRANGE', p .. 'log', idOf(p, sequence + 1), '+', 'COUNT', 1)
local oldest = next[1] and next[1][2][2]
if b and tonumber(b.from) <= sequence then oldest = b.oldest end
redis.call('HDEL', meta, 'oldest')
if oldest then redis.call('HSET', meta, 'oldest', oldest) end
redis.call('PUBLISH', KEYS[2] .. 'news', 'fleet')
return {'ok', 1}
`,
};
