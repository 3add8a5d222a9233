import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { steadyLoad, type Load } from '../../../test/support/load.js';

/** Visitors over kept-alive and new connections, and upgraded connections that come back when they end. */
export interface Visitors {
  /** What went wrong so far, by reason; empty when nothing did. */
  failures(): Record<string, number>;
  readonly answered: number;
  readonly openSockets: number;
  /** How upgraded connections ended, by reason. */
  readonly socketEnds: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export interface VisitorOptions {
  ratePerSecond: number;
  sockets: number;
}

const FOR_LONG_MS = 600_000;
/** Each has connections of its own, which it uses several times a second. */
const VISITORS = 5;

export async function visit(url: string, { ratePerSecond, sockets }: VisitorOptions): Promise<Visitors> {
  const start = (rate: number, headers: Record<string, string>): Promise<Load> =>
    steadyLoad(`${url}/`, { ratePerSecond: rate, headers, durationMs: FOR_LONG_MS });
  const loads = await Promise.all([
    start(ratePerSecond / 2, { connection: 'close' }),
    ...Array.from({ length: VISITORS }, () => start(ratePerSecond / 2 / VISITORS, {})),
  ]);
  const held = holdSockets(Number(new URL(url).port), sockets);
  onTestFinished(() => held.stop());

  return {
    failures() {
      const failures: Record<string, number> = {};
      for (const { status, error } of loads.flatMap(({ results }) => results)) {
        const reason = error ?? String(status);
        if (reason !== '200') failures[reason] = (failures[reason] ?? 0) + 1;
      }
      return failures;
    },
    get answered() {
      return loads.reduce((sum, { results }) => sum + results.length, 0);
    },
    get openSockets() {
      return held.open.size;
    },
    socketEnds: held.ends,
    async stop() {
      held.stop();
      await Promise.all(loads.map((load) => load.stop()));
    },
  };
}

const UPGRADE = 'GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';

function holdSockets(port: number, count: number) {
  const open = new Set<Socket>();
  const ends: Record<string, number> = {};
  let isOver = false;

  async function hold(): Promise<void> {
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      let reason = 'closed';
      socket.on('error', (error) => (reason = 'code' in error ? String(error.code) : error.message));
      socket.once('data', () => open.add(socket));
      socket.write(UPGRADE);
      await once(socket, 'close').catch(() => undefined);
      open.delete(socket);
      if (isOver) return;
      ends[reason] = (ends[reason] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
    }
  }

  for (let index = 0; index < count; index++) void hold();
  return {
    open,
    ends,
    stop() {
      isOver = true;
      for (const socket of open) socket.destroy();
    },
  };
}
