/** What every script begins with: small functions in Lua. */

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
local function chunks(list, from, to, size, call)
  for first = from, to, size do call(first, math.min(first + size - 1, to)) end
end
-- Whether the log is the one that the caller means.
local function isHere(p, log)
  return redis.call('HGET', p .. 'meta', 'log') == log
end
-- Whether the caller is the partition's newest owner.
local function owns(p, log, claim)
  local m = redis.call('HMGET', p .. 'meta', 'log', 'claim')
  return m[1] == log and m[2] == claim
end
-- What lies beside a record goes: it has been written.
local function touched(p)
  return redis.call('EXISTS', p .. 'ends', p .. 'absent', p .. 'leases', p .. 'overs') > 0
end
`;
