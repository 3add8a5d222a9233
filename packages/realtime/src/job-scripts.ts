// The scripts of the Redis store. Each touches the keys of one job, which share a hash tag, and is one step.
//
// Of a job there is a hash (kind, owner, input, trace, holder, attempt, lease, state, cancelled) and the list of its
// events. Time is that of Redis.

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

const KEEP = `
local function keep(ms)
  redis.call('PEXPIRE', KEYS[1], ms)
  redis.call('PEXPIRE', KEYS[2], ms)
end
`;

/**
 * ARGV: holder, from, end, leaseMs, keepMs, channel, id, kind, owner, input, trace, events … Without a kind a job that is
 * not there is not made.
 *
 * @returns how it ended, and until when it is held
 */
export const WRITE: string = `${NOW}${KEEP}
local holder = redis.call('HGET', KEYS[1], 'holder')
if not holder then
  if ARGV[8] == '' then return {'missing'} end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'kind', ARGV[8], 'owner', ARGV[9], 'input', ARGV[10], 'trace', ARGV[11],
    'holder', ARGV[1], 'attempt', 1, 'lease', 0, 'state', 'running')
elseif holder ~= ARGV[1] then
  return {'lost'}
end
local length = redis.call('LLEN', KEYS[2])
local from = tonumber(ARGV[2])
if length < from then return {'missing'} end
local lease = 0
if redis.call('HGET', KEYS[1], 'state') == 'running' then
  local message = {ARGV[7] .. ' ' .. (length + 1)}
  for i = 12 + length - from, #ARGV do
    redis.call('RPUSH', KEYS[2], ARGV[i])
    message[#message + 1] = ARGV[i]
  end
  if ARGV[3] == '' then
    lease = now + ARGV[4]
  else
    redis.call('HSET', KEYS[1], 'state', ARGV[3])
  end
  redis.call('HSET', KEYS[1], 'lease', lease)
  if #message > 1 then redis.call('PUBLISH', ARGV[6], table.concat(message, '\\n')) end
end
keep(ARGV[5])
if redis.call('HEXISTS', KEYS[1], 'cancelled') == 1 then return {'cancelled', lease} end
return {'held', lease}
`;

/**
 * ARGV: holder, leaseMs, keepMs, channel, id, abandoned, and how often it may be begun; one that was cancelled will not be.
 *
 * @returns `taken` with all there is to know but the events; `leased` and until when; or `over`
 */
export const TAKE: string = `${NOW}${KEEP}
local job = redis.call('HMGET', KEYS[1], 'kind', 'state', 'lease', 'attempt', 'owner', 'input', 'trace', 'cancelled')
if job[2] ~= 'running' then return {'over'} end
if tonumber(job[3]) > now then return {'leased', job[3]} end
keep(ARGV[3])
local attempt = job[4] + 1
if attempt > tonumber(ARGV[7]) and not job[8] then
  local length = redis.call('RPUSH', KEYS[2], ARGV[6])
  redis.call('HSET', KEYS[1], 'state', 'failed', 'lease', 0, 'holder', ARGV[1])
  redis.call('PUBLISH', ARGV[4], ARGV[5] .. ' ' .. length .. '\\n' .. ARGV[6])
  return {'over'}
end
local lease = now + ARGV[2]
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'attempt', attempt, 'lease', lease)
return {'taken', lease, attempt, job[8] or '', job[1], job[5], job[6], job[7]}
`;

/** ARGV: holder, channel, id, and what is added to the attempts. */
export const RELEASE = `
local job = redis.call('HMGET', KEYS[1], 'holder', 'state')
if job[1] ~= ARGV[1] or job[2] ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'holder', '', 'lease', 0)
redis.call('HINCRBY', KEYS[1], 'attempt', ARGV[4])
redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. (redis.call('LLEN', KEYS[2]) + 1))
return 1
`;

/** ARGV: holder. */
export const WITHDRAW = `
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end
return 0
`;

export const CANCEL = `
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'cancelled', 1)
return 1
`;

/**
 * ARGV: the first index. Of many events some, so that the answer comes in time: who has read fewer than there are asks again.
 */
export const READ: string = `${NOW}
local job = redis.call('HMGET', KEYS[1], 'kind', 'owner', 'state', 'lease')
if not job[1] then return {} end
local length = redis.call('LLEN', KEYS[2])
local reply = {job[1], job[2], job[3], job[4] - now, length}
local from = tonumber(ARGV[1])
if from < 0 then from = math.max(0, length + from) end
local bytes = 0
while from < length and bytes < 262144 do
  for _, event in ipairs(redis.call('LRANGE', KEYS[2], from, from + 15)) do
    reply[#reply + 1] = event
    bytes = bytes + #event
  end
  from = from + 16
end
return reply
`;

/**
 * Puts a job into the index of those of its kind that run, which is kept as long as its last job. ARGV: until when it is
 * held, id, keepMs, and `NX` or `XX` where it is to be new, or not.
 */
export const INDEX = `
if ARGV[4] then redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1], ARGV[2])
else redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
`;

/** Of such an index, those whose time is over. ARGV: how many. */
export const DUE: string = `${NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
`;
