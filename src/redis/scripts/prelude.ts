/**
 * What scripts begin with: small functions in Lua. Each costs a moment in every call, so a script takes what it needs.
 */

/**
 * `p` is the prefix of the partition's keys. `idOf`: the id of the entry in which a frame is or would be; a partition's
 * epochs are kept as "epoch:first sequence …", because an epoch begins anew where a log was mended.
 */
export const prelude = `
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function digits(n)
  return string.format('%.0f', n)
end
local function idOf(p, sequence)
  local epoch = '0'
  for e, from in string.gmatch(redis.call('HGET', p .. 'meta', 'epochs') or '0:0', '(%d+):(%d+)') do
    if tonumber(from) <= sequence then epoch = e end
  end
  return epoch .. '-' .. digits(sequence)
end
-- Whether the log is the one that the caller means.
local function isHere(p, log)
  return redis.call('HGET', p .. 'meta', 'log') == log
end
-- What lies beside a record goes: it has been written.
local function touched(p)
  return redis.call('EXISTS', p .. 'ends', p .. 'absent', p .. 'leases', p .. 'overs') > 0
end
`;

/** For what the writers say. */
export const owning = `
-- Why the caller may do nothing to the partition; nil where it is its newest owner. A claim is its number and its
-- worker: where this Redis went back the number comes once more.
local function refused(p, log, claim)
  local m = redis.call('HMGET', p .. 'meta', 'log', 'claim', 'claimant')
  if m[1] ~= log then return {'gone'} end
  if m[2] .. ' ' .. (m[3] or '') ~= claim then return {'lost'} end
end
-- A Redis without memory refuses a command that may take some, unless the script has written before. What frees memory
-- in the end, and what says who owns what, must go on there: so it begins with a write that takes none.
local function evenWhenFull(key)
  redis.call('HDEL', key, '')
end
-- What the caller's answer is where this telling is not to be done; nil where it is, and it is heard now.
local function unheard(p, after, name)
  local heard = redis.call('HGET', p .. 'meta', 'heard') or ''
  if heard == name then return {'ok', 1} end
  if after ~= '' and heard ~= after then return {'ok', 0} end
  redis.call('HSET', p .. 'meta', 'heard', name)
end
`;

/** For what is kept beside records until its time is over. */
export const keeping = `
-- Some absences whose time is over go.
local function sweepAbsent(p, time)
  local over = redis.call('ZRANGEBYSCORE', p .. 'absent', '-inf', digits(time), 'LIMIT', 0, 200)
  if #over > 0 then redis.call('ZREM', p .. 'absent', unpack(over)) end
end
local function remember(p, r, time, lasts, most)
  if lasts > 0 and redis.call('ZCARD', p .. 'absent') < most then
    redis.call('ZADD', p .. 'absent', digits(time + lasts), r)
  end
end
-- A deadline means something beside a value only; those of records that Redis has forgotten are looked for at random:
-- two for each that was put, so that never much more than half of them are such.
local function sweepEnds(p, put)
  if put == 0 then return end
  for _, r in ipairs(redis.call('ZRANDMEMBER', p .. 'ends', 2 * put + 4)) do
    if redis.call('EXISTS', r) == 0 then redis.call('ZREM', p .. 'ends', r) end
  end
end
`;
