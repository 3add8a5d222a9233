import { within } from '@signalbox/context';

/** What Redis says of itself. */
export interface RedisGroup {
  available: boolean;
  connected_clients: number | null;
  used_memory: number | null;
  total_commands_processed: number | null;
}

/** The scrape shall be over within a second, whatever Redis does. */
const PATIENCE_MS = 500;

/** Asks for `INFO` and picks what is shown. Where nobody answers, all is `null`. */
export async function redisGroup(ask: (() => Promise<string>) | undefined): Promise<RedisGroup> {
  const info = ask === undefined ? undefined : await answerOf(ask);
  const field = (name: string): number | null => {
    const value = info === undefined ? undefined : new RegExp(`^${name}:(\\d+)\\s*$`, 'm').exec(info)?.[1];
    return value === undefined ? null : Number(value);
  };
  return {
    available: info !== undefined,
    connected_clients: field('connected_clients'),
    used_memory: field('used_memory'),
    total_commands_processed: field('total_commands_processed'),
  };
}

async function answerOf(ask: () => Promise<string>): Promise<string | undefined> {
  try {
    return await within<string | undefined>(PATIENCE_MS, ask(), () => undefined);
  } catch {
    return undefined; // Redis is down: that is what `available` says.
  }
}
