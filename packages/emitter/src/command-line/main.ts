import { readFileSync } from 'node:fs';
import { stdin } from 'node:process';
import { connectRedis, RedisReplyError, RedisUnavailableError, type RedisLink } from '@signalbox/redis';
import { signals } from '@signalbox/signals';
import { externalEmitter } from '../external-emitter.js';
import type { NamespaceEmitter } from '../namespace.js';
import type { EmitReceipt } from '../outbox.js';
import { parse, UsageError, type Action, type Order } from './parse.js';
import { EXIT, USAGE } from './usage.js';

/** What is read from standard input for `--json -`. An emitter takes no more, either. */
const MAX_INPUT = 1_000_000;

const say = (text: string): void => void process.stdout.write(text);
const complain = (text: string): void => void process.stderr.write(`signalbox-emit: ${text}\n`);

/** The program. Sets the exit code and lets the process end by itself. */
export function main(): void {
  run(process.argv.slice(2)).then(
    (code) => void (process.exitCode = code),
    (error: unknown) => {
      complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
      process.exitCode = EXIT.failed;
    },
  );
}

async function run(args: readonly string[]): Promise<number> {
  try {
    const order = parse(args);
    if (order === 'help') say(USAGE);
    else if (order === 'version') say(`${version()}\n`);
    else return await carryOut(order);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(`${error.message}${error.message.endsWith('?') ? '' : '.'} Nothing was sent; --help says more.`);
    return EXIT.usage;
  }
}

async function carryOut(order: Order): Promise<number> {
  const payload = order.action.kind === 'event' ? await readPayload(order.action.json) : [];
  const url = order.redis ?? process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
  const link = asUsage(() => connectRedis(url, { name: 'signalbox-emit', deadlineMs: order.timeoutMs }));
  let cause: unknown;
  const end = signals.redisLinkState.subscribe(({ error }) => {
    cause = error ?? cause;
  });
  try {
    const { servers = 0 } = await emit(link, order, payload);
    return report(order, servers, link.cluster);
  } catch (error) {
    return fail(error, cause);
  } finally {
    end();
    await link.close();
  }
}

async function emit(link: RedisLink, order: Order, payload: readonly unknown[]): Promise<EmitReceipt> {
  const { namespace, key, timeoutMs: deadlineMs } = order;
  const emitter = asUsage(() => externalEmitter({ redis: link, namespace, key, deadlineMs }));
  try {
    return await act(emitter, order, payload);
  } finally {
    await emitter.close();
  }
}

function act(emitter: NamespaceEmitter, order: Order, payload: readonly unknown[]): Promise<EmitReceipt> {
  const { action, rooms, except } = order;
  const some = rooms === undefined ? emitter.toAll() : emitter.to(rooms);
  const target = except.length === 0 ? some : some.except(except);
  switch (action.kind) {
    case 'event':
      return target.emit(action.event, ...payload);
    case 'join':
      return target.joinSockets(action.room);
    case 'leave':
      return target.leaveSockets(action.room);
    case 'disconnect':
      return target.disconnectSockets({ close: action.close });
  }
}

function report(order: Order, servers: number, isCluster: boolean): number {
  const heard = `${servers} ${servers === 1 ? 'server listens' : 'servers listen'}`;
  if (servers < order.servers) {
    complain(`Sent, but only ${heard} where ${order.servers} should.`);
    return EXIT.unheard;
  }
  if (order.quiet) return EXIT.ok;
  if (servers === 0 && !isCluster) {
    complain(
      `Sent, but no server listens on "${order.key}" in namespace "${order.namespace}": is it the same Redis, and is ` +
        'their adapter made by createAdapter() of @socket.io/redis-adapter, with that key?',
    );
  } else {
    say(`Sent ${inWords(order.action)}: ${heard}.\n`);
  }
  return EXIT.ok;
}

function inWords(action: Action): string {
  switch (action.kind) {
    case 'event':
      return `"${action.event}"`;
    case 'join':
      return `the call to join "${action.room}"`;
    case 'leave':
      return `the call to leave "${action.room}"`;
    case 'disconnect':
      return 'the call to disconnect';
  }
}

/** @param cause why there is no connection, where that is known */
function fail(error: unknown, cause: unknown): number {
  if (error instanceof RedisUnavailableError) {
    const told = cause instanceof RedisUnavailableError ? cause : error;
    complain(`Not sent: ${told.message}.`);
    return told.reason === 'auth' ? EXIT.refused : EXIT.unavailable;
  }
  if (error instanceof RedisReplyError) {
    complain(`Not sent: ${error.message}.`);
    return EXIT.refused;
  }
  // What the emitter does not take, such as a reserved name.
  if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
  throw error;
}

/** What is wrong with an option, in the words of what takes it. */
function asUsage<Result>(make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function readPayload(texts: readonly string[]): Promise<unknown[]> {
  if (texts.filter((text) => text === '-').length > 1) {
    throw new UsageError('Standard input can be read once only: one --json -');
  }
  return Promise.all(texts.map(async (text) => parseJson(text === '-' ? await readInput() : text)));
}

async function readInput(): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stdin as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_INPUT) throw new UsageError(`Standard input must be at most ${MAX_INPUT} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--json must be JSON: ${words}`, { cause: error });
  }
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
