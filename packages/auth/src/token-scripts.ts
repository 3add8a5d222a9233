/**
 * What the scripts begin with: the time, by Redis' own clock, in milliseconds, and the two marks of the subject: until
 * when everything was revoked, and until when the access tokens were, which is never before. What is issued now is later
 * than either.
 */
const TIMES = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local marks = redis.call('GET', KEYS[1]) or '0 0'
local revoked, stale = string.match(marks, '(%d+) (%d+)')
local issuedAt = string.format('%.0f', math.max(now, tonumber(stale) + 1))
`;

/** KEYS: marks, chain. ARGV: id, ttlMs. */
export const OPEN_SCRIPT: string = `${TIMES}
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return issuedAt
`;

/**
 * KEYS: marks, chain, successor of the token that was brought, gone (of the family). ARGV: id, issuedAtMs, successorId,
 * successor, graceMs, ttlMs, goneMs.
 *
 * The token is the chain's current one, or has a successor that is kept for the grace, or was stolen. A successor whose
 * access token was revoked meanwhile, while the sign-in stays, is issued anew.
 */
export const ROTATE_SCRIPT: string = `${TIMES}
local current = redis.call('GET', KEYS[2])
local isGone = redis.call('EXISTS', KEYS[4]) == 1
if not current or isGone or tonumber(ARGV[2]) <= tonumber(revoked) then return {'revoked'} end

if current == ARGV[1] then
  local successor = issuedAt .. ' ' .. ARGV[4]
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[6])
  if tonumber(ARGV[5]) > 0 then redis.call('SET', KEYS[3], successor, 'PX', ARGV[5]) end
  return {'rotated', successor}
end

local successor = redis.call('GET', KEYS[3])
if successor then
  local at, draft = string.match(successor, '^(%d+) (.*)$')
  if tonumber(at) > tonumber(stale) then return {'repeated', successor} end
  return {'renewed', issuedAt .. ' ' .. draft}
end

redis.call('SET', KEYS[4], '1', 'PX', ARGV[7])
return {'reused'}
`;

/**
 * KEYS: marks. ARGV: ttlMs, whether refresh tokens stay. The mark is not before what was issued last, which may be a
 * millisecond ahead of the clock.
 */
export const REVOKE_SUBJECT_SCRIPT: string = `${TIMES}
if ARGV[2] == 'end' then revoked = issuedAt end
redis.call('SET', KEYS[1], revoked .. ' ' .. issuedAt, 'PX', ARGV[1])
return issuedAt
`;
