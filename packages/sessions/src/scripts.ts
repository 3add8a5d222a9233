// KEYS[1] of each is a session or the list of a user's sessions, and all have the user's hash tag. Other sessions of
// the same user are found by their names, in the same slot of a Redis Cluster. An empty text says that a session has
// ended; every key has an expiry.

/**
 * KEYS: the session, the list. ARGV: the text, its idle time; of a user also the handle, the entry, how long the list
 * is kept, the maximum, whether to refuse, how long an end is remembered, since when who began is too old, and the handle of
 * the session that this one replaces.
 */
export const CREATE: string = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('GET', KEYS[1]) == ARGV[1] and 0 or -1
end
local evicted = 0
if #ARGV > 2 then
  local entries, alive = redis.call('HGETALL', KEYS[2]), {}
  for i = 1, #entries, 2 do
    local key, began = KEYS[2] .. ':' .. entries[i], tonumber(string.match(entries[i + 1], '^%d+')) or 0
    local isThere = redis.call('STRLEN', key) > 0
    if isThere and began > tonumber(ARGV[9]) then
      if entries[i] ~= ARGV[10] then alive[#alive + 1] = { entries[i], began } end
    else
      if isThere then redis.call('SET', key, '', 'PX', ARGV[8]) end
      redis.call('HDEL', KEYS[2], entries[i])
    end
  end
  local max = tonumber(ARGV[6])
  if max > 0 and #alive >= max then
    if ARGV[7] == '1' then return -2 end
    table.sort(alive, function(a, b) return a[2] < b[2] end)
    for i = 1, #alive - max + 1 do
      redis.call('SET', KEYS[2] .. ':' .. alive[i][1], '', 'PX', ARGV[8])
      redis.call('HDEL', KEYS[2], alive[i][1])
      evicted = evicted + 1
    end
  end
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return evicted
`;

/** KEYS: the session. ARGV: its idle time, the largest size, then token, member and expected hash of each change. */
export const UPDATE: string = `
local text = redis.call('GET', KEYS[1])
if not text or text == '' then return 0 end
local start = string.find(text, '\\n', 1, true)
local members = {}
for member in string.gmatch(string.sub(text, start + 1), '[{,]([^\\n]+)\\n') do
  members[#members + 1] = member
end
for i = 3, #ARGV, 3 do
  local token, place = ARGV[i], nil
  for j, member in ipairs(members) do
    if string.sub(member, 1, #token) == token then place = j end
  end
  local expected = ARGV[i + 2]
  if expected ~= '' and expected ~= (place and redis.sha1hex(members[place]) or 'none') then return -1 end
  if ARGV[i + 1] ~= '' then
    members[place or #members + 1] = ARGV[i + 1]
  elseif place then
    table.remove(members, place)
  end
end
local changed = string.sub(text, 1, start) .. '{' .. table.concat(members, '\\n,') .. '\\n}'
if #changed > tonumber(ARGV[2]) then return -2 end
redis.call('SET', KEYS[1], changed, 'PX', ARGV[1])
return 1
`;

/** KEYS: the session, the list. ARGV: the handle, how long the end is remembered. */
export const END: string = `
local existed = redis.call('STRLEN', KEYS[1])
redis.call('SET', KEYS[1], '', 'PX', ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
return existed
`;

/** KEYS: the list. */
export const LIST: string = `
local entries, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #entries, 2 do
  local key = KEYS[1] .. ':' .. entries[i]
  if redis.call('STRLEN', key) > 0 then
    found[#found + 1] = entries[i]
    found[#found + 1] = entries[i + 1]
    found[#found + 1] = redis.call('PTTL', key)
  else
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
return found
`;

/** KEYS: the list. ARGV: how long the ends are remembered, the handle that stays. */
export const END_ALL: string = `
local ended = 0
for _, handle in ipairs(redis.call('HKEYS', KEYS[1])) do
  if handle ~= ARGV[2] then
    local key = KEYS[1] .. ':' .. handle
    if redis.call('STRLEN', key) > 0 then ended = ended + 1 end
    redis.call('SET', key, '', 'PX', ARGV[1])
    redis.call('HDEL', KEYS[1], handle)
  end
end
return ended
`;
