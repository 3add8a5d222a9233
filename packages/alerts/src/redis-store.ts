import { randomUUID } from 'node:crypto';
import type { RedisLink, RedisReply } from '@signalbox/redis';
import type { SharedStore, SharedTurn } from './coordination.js';

/** What is kept of a service that is switched off: long enough to say that an incident is over. */
const STATE_MS = 7 * 86_400_000;
/** Boards of processes that stood alone. More is not to be expected in one lease. */
const MAX_HANDED_OVER = 100;

/**
 * KEYS: who leads, the reports, the board, what was handed over. ARGV: who asks, the lease in ms, its report, what it hands
 * over, how many handed-over boards it has taken, its board, how long a board is kept in ms, 1 where it knows that it leads.
 *
 * Who leads without knowing, since the answer that said so was lost, has not seen the board yet, and must not replace it.
 * A report counts for as long as a lease: who has died says nothing any more. Time is Redis' own.
 */
const TURN_SCRIPT = `
local me, lease = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local leader = redis.call('GET', KEYS[1])
local new = 0
if not leader then
  leader = me
  new = 1
  redis.call('SET', KEYS[1], me, 'PX', lease)
elseif leader == me then
  redis.call('PEXPIRE', KEYS[1], lease)
  if ARGV[8] ~= '1' then new = 1 end
end
redis.call('HSET', KEYS[2], me, string.format('%.0f', now) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[2], lease * 2)
if leader ~= me then
  if ARGV[4] ~= '' and redis.call('LLEN', KEYS[4]) < ${MAX_HANDED_OVER} then
    redis.call('RPUSH', KEYS[4], ARGV[4])
    redis.call('PEXPIRE', KEYS[4], ARGV[7])
  end
  return {0, 0, {}, {}, redis.call('GET', KEYS[3]) or ''}
end
local state = ''
if new == 1 then
  state = redis.call('GET', KEYS[3]) or ''
else
  redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[7])
  if tonumber(ARGV[5]) > 0 then redis.call('LTRIM', KEYS[4], ARGV[5], -1) end
end
local reports = {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local at, report = string.match(all[i + 1], '^(%d+) (.*)$')
  if at and now - tonumber(at) <= lease then
    if all[i] ~= me then reports[#reports + 1] = report end
  else
    redis.call('HDEL', KEYS[2], all[i])
  end
end
return {1, new, reports, redis.call('LRANGE', KEYS[4], 0, -1), state}
`;

/** KEYS: who leads, the board. ARGV: who asks, its board, how long it is kept. Where another leads by now, nothing is overwritten. */
const SAVE_SCRIPT = `
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
`;

/**
 * KEYS: who leads, the reports. ARGV: who asks.
 *
 * What the leader saw is on the board. The last report of another stays for a lease: the leader may not have read it yet.
 */
const LEAVE_SCRIPT = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
`;

/** Where the processes of a service meet: four keys with one hash tag, each with an expiry. */
export function redisStore(link: RedisLink, base: string, leaseMs: number): SharedStore {
  const me = randomUUID();
  const [leader, reports, board, handedOver] = ['leader', 'reports', 'board', 'handed-over'].map(
    (name) => `${base}${name}`,
  ) as [string, string, string, string];
  const turn = link.script('alerts-turn', TURN_SCRIPT, { decode: readTurn });
  const save = link.script('alerts-save', SAVE_SCRIPT);
  const leave = link.script('alerts-leave', LEAVE_SCRIPT);

  return {
    turn(report, handover, taken, state, knowsToLead) {
      const known = knowsToLead ? 1 : 0;
      const args = [me, leaseMs, report, handover, taken, state, STATE_MS, known];
      return turn([leader, reports, board, handedOver], args);
    },
    async save(state) {
      await save([leader, board], [me, state, STATE_MS]);
    },
    async leave() {
      await leave([leader, reports], [me]);
    },
  };
}

/** `decode` gets text as bytes. */
function readTurn(reply: RedisReply): SharedTurn {
  const [leads, isNew, reports, handedOver, state] = Array.isArray(reply) ? reply : [];
  return {
    leads: leads === 1,
    isNew: isNew === 1,
    reports: Array.isArray(reports) ? reports.map(textOf) : [],
    handedOver: Array.isArray(handedOver) ? handedOver.map(textOf) : [],
    state: textOf(state),
  };
}

function textOf(reply: RedisReply | undefined): string {
  return Buffer.isBuffer(reply) || typeof reply === 'string' ? reply.toString() : '';
}
