/**
 * The algorithms as Redis runs them: the same as `fixed-window.ts`, `gcra.ts` and `sliding-window.ts`, checked
 * against them by property tests. Time is Redis' own, so that the clocks of the processes do not matter.
 *
 * A script gets one key for each limit. Every state is one string that holds all there is to know, so that a
 * limit costs one GET and one SET, and every key expires by the SET that writes it.
 */
const PRELUDE = `
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local format, match, sub = string.format, string.match, string.sub
local pack, unpack = struct.pack, struct.unpack
local SLOTS, TOLERANCE, LONGEST = 128, 1e-9, 1e15
local ENTRY = 16

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000

-- How many of the log's first entries are out of the window, and what they counted.
local function forgotten(log, span)
  local position, count = 9, 0
  while position < #log do
    local at, counted = unpack('>dd', log, position)
    if at > now - span then break end
    position, count = position + ENTRY, count + counted
  end
  return position, count
end

local read = {}

function read.fixed(limit, raw)
  limit.count, limit.ends = 0, 0
  if not raw then return end
  local count, ends = match(raw, '^(%S+) (%S+)$')
  ends = min(tonumber(ends), now + limit.span)
  if ends > now then limit.count, limit.ends = tonumber(count), ends end
end

function read.gcra(limit, raw)
  limit.level = 0
  if not raw then return end
  local level, at = match(raw, '^(%S+) (%S+)$')
  local drained = max(0, now - tonumber(at)) / limit.span
  limit.level = min(limit.capacity, max(0, tonumber(level) - drained))
end

function read.sliding(limit, raw)
  limit.total, limit.entries = 0, ''
  if not raw then return end
  local position, gone = forgotten(raw, limit.span)
  limit.total, limit.entries = unpack('>d', raw) - gone, sub(raw, position)
end

local function write(key, value, ttl)
  redis.call('SET', key, value, 'PX', format('%.0f', max(1, min(ceil(ttl), LONGEST))))
end

local function writeFixed(key, limit)
  write(key, format('%.17g %.17g', limit.count, limit.ends), limit.ends - now)
end

local function writeBucket(key, limit)
  write(key, format('%.17g %.17g', limit.level, now), limit.level * limit.span)
end

local function writeLog(key, limit)
  write(key, pack('>d', limit.total) .. limit.entries, limit.span)
end
`;

/**
 * Asks several limits and charges all of them, or none when one refuses.
 *
 * ARGV holds four values for each key: the kind (with a capital, in shadow mode: such a limit never refuses, and is
 * charged only where it would not), the capacity, the window (of GCRA the interval) in milliseconds, and the cost.
 * The reply holds three integers for each key, `remaining`, `resetMs` and `retryMs`, and then the time.
 */
export const TAKE_SCRIPT: string = `${PRELUDE}
local function untilForgotten(limit, wanted)
  local position, count = 1, 0
  while position < #limit.entries do
    local at, counted = unpack('>dd', limit.entries, position)
    count = count + counted
    if count >= wanted then return at + limit.span - now end
    position = position + ENTRY
  end
  return 0
end

local look = {}

function look.fixed(limit)
  if limit.count + limit.cost > limit.capacity then return limit.ends - now end
  return 0
end

function look.gcra(limit)
  local over = limit.level + limit.cost - limit.capacity
  return over > TOLERANCE and over * limit.span or 0
end

function look.sliding(limit)
  local over = limit.total + limit.cost - limit.capacity
  return over > 0 and untilForgotten(limit, over) or 0
end

local charge = {}

function charge.fixed(key, limit)
  if limit.ends == 0 then limit.ends = now + limit.span end
  limit.count = limit.count + limit.cost
  writeFixed(key, limit)
end

function charge.gcra(key, limit)
  limit.level = limit.level + limit.cost
  writeBucket(key, limit)
end

function charge.sliding(key, limit)
  local entries, slot = limit.entries, limit.span / SLOTS
  local at, counted = now, 0
  if #entries > 0 then
    local last, before = unpack('>dd', entries, #entries - ENTRY + 1)
    if floor(last / slot) >= floor(now / slot) then
      at, counted, entries = max(last, now), before, sub(entries, 1, #entries - ENTRY)
    end
  end
  limit.total = limit.total + limit.cost
  limit.entries = entries .. pack('>dd', at, counted + limit.cost)
  writeLog(key, limit)
end

local describe = {}

function describe.fixed(limit)
  return limit.capacity - limit.count, limit.ends == 0 and 0 or limit.ends - now
end

function describe.gcra(limit)
  return floor(limit.capacity - limit.level + TOLERANCE), limit.level * limit.span
end

function describe.sliding(limit)
  return limit.capacity - limit.total, limit.total > 0 and untilForgotten(limit, limit.total) or 0
end

local limits, refused = {}, false
for i = 1, #KEYS do
  local kind = ARGV[4 * i - 3]
  local limit = {
    kind = string.lower(kind),
    capacity = tonumber(ARGV[4 * i - 2]),
    span = tonumber(ARGV[4 * i - 1]),
    cost = tonumber(ARGV[4 * i]),
  }
  read[limit.kind](limit, redis.call('GET', KEYS[i]))
  limit.retry = look[limit.kind](limit)
  refused = refused or (limit.retry > 0 and kind == limit.kind)
  limits[i] = limit
end

local reply = {}
for i, limit in ipairs(limits) do
  if not refused and limit.retry == 0 then charge[limit.kind](KEYS[i], limit) end
  local remaining, reset = describe[limit.kind](limit)
  reply[3 * i - 2] = max(0, remaining)
  reply[3 * i - 1] = min(ceil(reset), LONGEST)
  reply[3 * i] = limit.retry > 0 and max(1, min(ceil(limit.retry), LONGEST)) or 0
end
reply[#reply + 1] = floor(now)
return reply
`;

/**
 * Takes back what was charged. ARGV holds five values for each key: four as above, the kind in small letters, and
 * the time of the charge.
 */
export const REFUND_SCRIPT: string = `${PRELUDE}
local refund = {}

function refund.fixed(key, limit)
  -- The time came without its fraction.
  if limit.ends == 0 or limit.charged + 1 <= limit.ends - limit.span then return end
  limit.count = max(0, limit.count - limit.cost)
  writeFixed(key, limit)
end

function refund.gcra(key, limit)
  limit.level = max(0, limit.level - limit.cost)
  writeBucket(key, limit)
end

function refund.sliding(key, limit)
  local position = #limit.entries - ENTRY + 1
  while position > ENTRY and unpack('>d', limit.entries, position - ENTRY) >= limit.charged do
    position = position - ENTRY
  end
  if position < 1 then return end
  local at, counted = unpack('>dd', limit.entries, position)
  if at < limit.charged then return end
  local back = min(limit.cost, counted)
  limit.total = limit.total - back
  limit.entries = sub(limit.entries, 1, position - 1) .. pack('>dd', at, counted - back)
    .. sub(limit.entries, position + ENTRY)
  writeLog(key, limit)
end

for i, key in ipairs(KEYS) do
  local raw = redis.call('GET', key)
  if raw then
    local limit = {
      capacity = tonumber(ARGV[5 * i - 3]),
      span = tonumber(ARGV[5 * i - 2]),
      cost = tonumber(ARGV[5 * i - 1]),
      charged = tonumber(ARGV[5 * i]),
    }
    local kind = ARGV[5 * i - 4]
    read[kind](limit, raw)
    refund[kind](key, limit)
  end
end
`;
