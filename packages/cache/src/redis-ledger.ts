import { outsideRequests } from '@signalbox/context';
import type { RedisLink, RedisReply, RedisScript } from '@signalbox/redis';
import { Ledger, type Mark } from './ledger.js';
import { MAX_KEPT_MS } from './policy.js';

/** More marks than this are not kept: what is older than the last of them is dead instead. */
const MAX_MARKS = 10_000;

// Numbers by the clock, so that one that is lost with the key is not given again. The number is asked for with every
// entry, the marks hardly ever: a Redis that is full may throw away those alone. What they said holds for all then.
const INVALIDATE = `
local time = redis.call('TIME')
local after = redis.call('GET', KEYS[2]) or '0'
local stamp = math.max(
  tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000),
  tonumber(after) + 1)
local text = string.format('%.0f', stamp)
local kept = redis.call('HLEN', KEYS[1])
if kept > ${MAX_MARKS} or (kept == 0 and after ~= '0') then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'floor', text)
end
local marks = {}
for index = 3, #ARGV do
  redis.call('HSET', KEYS[1], ARGV[index], text)
  marks[#marks + 1] = ARGV[index]
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], text, 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[1], cjson.encode({ stamp = text, after = after, marks = marks }))
return { text, after }
`;

const LOAD = `
local stamp = redis.call('GET', KEYS[2])
if stamp and redis.call('HLEN', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'floor', stamp)
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return redis.call('HGETALL', KEYS[1])
`;

// A reply that was on its way may be older than what was heard meanwhile: nothing is lost then.
const RESTORE = `
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'floor', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[1])
return 1
`;

/** The ledger that all processes share: what Redis has of it, and what this process has heard. */
export class RedisLedger extends Ledger {
  readonly stampKey: string;
  private readonly key: string;
  private readonly invalidate: RedisScript;
  private readonly raiseAll: RedisScript;
  private readonly loadAll: RedisScript;
  private loading: Promise<void> | undefined = undefined;
  private restoring: Promise<void> | undefined = undefined;
  /** How often it was found that something is missing here, whatever the number says. */
  private gaps = 0;
  /** How many of these were made up for. */
  private gapsClosed = 0;

  constructor(link: RedisLink, prefix: string) {
    super();
    this.key = `${prefix}{ledger}`;
    this.stampKey = `${this.key}:stamp`;
    this.invalidate = link.script('cache-invalidate', INVALIDATE);
    this.raiseAll = link.script('cache-restore', RESTORE);
    this.loadAll = link.script('cache-load', LOAD);
  }

  /** Whether something was invalidated that is not known here, when Redis is at this number. */
  isBehind(stamp: number): boolean {
    return stamp > this.stamp || this.gapsClosed < this.gaps;
  }

  /** Takes over what was invalidated. @param after the number before this one */
  hear(marks: readonly Mark[], stamp: number, after: number): void {
    if (after > this.stamp) this.gaps += 1;
    for (const mark of marks) this.add(mark, stamp);
  }

  /** Something may have been invalidated that was not heard. */
  missed(): void {
    this.gaps += 1;
    this.load().catch(ignore);
  }

  /** Learns what is missing here, or tells Redis what is missing there. @param stamp at which Redis is */
  async catchUp(stamp: number): Promise<void> {
    if (this.isBehind(stamp)) await this.load();
    else if (stamp < this.stamp) this.restore();
  }

  /** Invalidates, and tells everybody on the channel. */
  async note(marks: readonly Mark[], channel: string): Promise<void> {
    const reply = await this.invalidate([this.key, this.stampKey], [channel, MAX_KEPT_MS, ...marks]);
    const [stamp = NaN, after = NaN] = (reply as RedisReply[]).map(Number);
    this.hear(marks, stamp, after);
  }

  private load(): Promise<void> {
    this.loading ??= outsideRequests(() => this.loadNow()).finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  private async loadNow(): Promise<void> {
    // What is missed from now on may not be in the reply.
    const before = this.gaps;
    const fields = (await this.loadAll([this.key, this.stampKey], [MAX_KEPT_MS])) as string[];
    for (let index = 0; index < fields.length; index += 2) {
      const stamp = Number(fields[index + 1]);
      if (fields[index] === 'floor') this.raise(stamp);
      else this.add(fields[index] as Mark, stamp);
    }
    this.gapsClosed = before;
  }

  /**
   * Redis has lost what was invalidated. Processes that still know it and those that never will would take each other's
   * entries for dead: what is older than the last of it is dead for all instead.
   */
  private restore(): void {
    this.restoring ??= outsideRequests(() =>
      this.raiseAll([this.key, this.stampKey], [MAX_KEPT_MS, this.stamp]),
    )
      .then(ignore, ignore)
      .finally(() => {
        this.restoring = undefined;
      });
  }
}

function ignore(): void {
  // The next read finds that something is missing, and asks again.
}
