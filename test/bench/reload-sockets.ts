import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** What became of connections that are to be open all the time. */
export interface SocketReport {
  open: number;
  /** How connections ended, such as `closed` for in order, or `ECONNRESET`. */
  ends: Record<string, number>;
  /** How long one of them was away at most, from its end until it was open again. */
  longestAwayMs: number;
}

const UPGRADE = 'GET /socket HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: bench\r\n\r\n';
const MAX_PAUSE_MS = 300;

/** Holds so many upgraded connections, each of which comes back when it ends. */
export function holdSockets(port: number, count: number): { report(): SocketReport; stop(): void } {
  const sockets = new Set<Socket>();
  const ends: Record<string, number> = {};
  const away = new Map<number, number>();
  let longestAwayMs = 0;
  let isOver = false;

  async function hold(index: number): Promise<void> {
    away.set(index, performance.now());
    for (;;) {
      const how = await visit(index);
      if (isOver) return;
      ends[how] = (ends[how] ?? 0) + 1;
      if (!away.has(index)) away.set(index, performance.now());
      await pause(Math.random() * MAX_PAUSE_MS);
    }
  }

  /** Resolves with how the connection ended. */
  async function visit(index: number): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    let reason = 'closed';
    socket.on('error', (error) => (reason = 'code' in error ? String(error.code) : error.message));
    socket.once('data', () => {
      sockets.add(socket);
      longestAwayMs = Math.max(longestAwayMs, performance.now() - (away.get(index) ?? 0));
      away.delete(index);
    });
    socket.write(UPGRADE);
    await once(socket, 'close').catch(() => undefined);
    sockets.delete(socket);
    return reason;
  }

  for (let index = 0; index < count; index++) void hold(index);
  return {
    report() {
      const now = performance.now();
      const longest = Math.max(longestAwayMs, ...[...away.values()].map((since) => now - since));
      return { open: sockets.size, ends: { ...ends }, longestAwayMs: Math.round(longest) };
    },
    stop() {
      isOver = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
