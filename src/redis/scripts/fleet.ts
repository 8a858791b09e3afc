/**
 * The workers of a fleet: who lives, and who owns which partition. A lease here only says who should write; what a
 * worker without one still sends is stopped by the compare-and-set in the database (promise 5), and by `claim` here.
 */
import type { Script } from "../redis-link.js";
import { owning, prelude } from "./prelude.js";

const owners = `
local function ownerOf(all, partition, time)
  local found = redis.call('HGET', all .. 'owners', partition)
  if not found then return nil end
  local worker, until_ = string.match(found, '^(.*) %d+ (%d+) %d+$')
  if tonumber(until_) <= time then return nil end
  return worker
end
-- A clock that went back would let the dead own their partitions, and live, until it is there again: nothing lasts
-- longer than a lease from now on.
local function notBeyond(all, time, partitions)
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', all .. 'workers', '(' .. digits(time), '+inf')) do
    redis.call('ZADD', all .. 'workers', digits(time), worker)
  end
  for p = 0, partitions - 1 do
    local found = redis.call('HGET', all .. 'owners', p)
    local mine, until_, lease = string.match(found or '', '^(.* %d+ )(%d+) (%d+)$')
    if mine and tonumber(until_) > time + tonumber(lease) then
      redis.call('HSET', all .. 'owners', p, mine .. digits(time + tonumber(lease)) .. ' ' .. lease)
    end
  end
end
`;

/**
 * A worker lives. KEYS: prefix of all keys. ARGV: worker ("" only looks), lease (ms), report, partitions, fleet.
 * Answers {'ok', time, paused or "", owners, workers as id, seen, report}.
 */
export const beatScript: Script = {
  name: "beat",
  text: `${prelude}${owning}${owners}
local all = KEYS[1]
if redis.call('HGET', all .. 'fleet', 'id') ~= ARGV[5] then return {'gone'} end
evenWhenFull(all .. 'reports')
local time = now()
if ARGV[1] ~= '' then
  redis.call('ZADD', all .. 'workers', digits(time), ARGV[1])
  redis.call('HSET', all .. 'reports', ARGV[1], ARGV[3])
end
notBeyond(all, time, tonumber(ARGV[4]))
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', all .. 'workers', '-inf', digits(time - tonumber(ARGV[2])))) do
  redis.call('ZREM', all .. 'workers', dead)
  redis.call('HDEL', all .. 'reports', dead)
end
local owned = {}
for p = 0, tonumber(ARGV[4]) - 1 do owned[p + 1] = ownerOf(all, p, time) or '' end
local workers = {}
local alive = redis.call('ZRANGE', all .. 'workers', 0, -1, 'WITHSCORES')
for k = 1, #alive, 2 do
  workers[#workers + 1] = alive[k]
  workers[#workers + 1] = alive[k + 1]
  workers[#workers + 1] = redis.call('HGET', all .. 'reports', alive[k]) or ''
end
return {'ok', time, redis.call('HGET', all .. 'fleet', 'paused') or '', owned, workers}
`,
};

/**
 * Takes a free partition. KEYS: prefix of all keys. ARGV: worker, partition, log, lease (ms), 1 to take it from its
 * owner. Answers the claim's number, or 0 where somebody owns it.
 */
export const claimScript: Script = {
  name: "claim",
  text: `${prelude}${owning}${owners}
local all = KEYS[1]
local p = all .. ARGV[2] .. ':'
if not isHere(p, ARGV[3]) then return {'gone'} end
local time = now()
if ARGV[5] ~= '1' and ownerOf(all, ARGV[2], time) then return {'ok', 0} end
evenWhenFull(p .. 'meta')
local claim = redis.call('HINCRBY', p .. 'meta', 'claim', 1)
local until_ = digits(time + tonumber(ARGV[4]))
redis.call('HSET', p .. 'meta', 'claimant', ARGV[1])
redis.call('HSET', all .. 'owners', ARGV[2], ARGV[1] .. ' ' .. claim .. ' ' .. until_ .. ' ' .. ARGV[4])
return {'ok', claim}
`,
};

/**
 * Prolongs a claim. KEYS: prefix of all keys. ARGV: worker, partition, log, claim, lease (ms). 1, or 0 where it is
 * lost. A lease that is over holds as long as nobody else has taken the partition; one that was given back does not.
 */
export const holdsScript: Script = {
  name: "holds",
  text: `${prelude}${owning}
local all = KEYS[1]
local p = all .. ARGV[2] .. ':'
if not isHere(p, ARGV[3]) then return {'gone'} end
local mine = ARGV[1] .. ' ' .. ARGV[4] .. ' '
local found = redis.call('HGET', all .. 'owners', ARGV[2])
if not found or string.sub(found, 1, #mine) ~= mine then return {'ok', 0} end
evenWhenFull(p .. 'meta')
redis.call('HSET', all .. 'owners', ARGV[2], mine .. digits(now() + tonumber(ARGV[5])) .. ' ' .. ARGV[5])
return {'ok', 1}
`,
};

/** Gives a partition back. KEYS: prefix of all keys. ARGV: worker, partition, log, claim with its worker. */
export const releaseScript: Script = {
  name: "release",
  text: `${prelude}${owning}
local all = KEYS[1]
local no = refused(all .. ARGV[2] .. ':', ARGV[3], ARGV[4])
if no and no[1] == 'gone' then return no end
if not no then
  redis.call('HDEL', all .. 'owners', ARGV[2])
  redis.call('PUBLISH', all .. 'news', 'fleet')
end
return {'ok'}
`,
};

/** A worker leaves. KEYS: prefix of all keys. ARGV: worker, fleet. */
export const leaveScript: Script = {
  name: "leave",
  text: `
if redis.call('HGET', KEYS[1] .. 'fleet', 'id') ~= ARGV[2] then return {'gone'} end
redis.call('ZREM', KEYS[1] .. 'workers', ARGV[1])
redis.call('HDEL', KEYS[1] .. 'reports', ARGV[1])
redis.call('PUBLISH', KEYS[1] .. 'news', 'fleet')
return {'ok'}
`,
};
