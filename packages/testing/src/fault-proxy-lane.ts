import type { Socket } from 'node:net';

/** How bytes travel; changed while they do. */
export interface Traffic {
  readonly state: 'flowing' | 'held' | 'lost';
  /** Held back for so long on the way down, so that a round trip takes that much longer. */
  readonly delayMs: number;
  readonly bytesPerSecond: number;
}

/** One direction of one connection. */
export interface Lane {
  /** Looks at the traffic's rules again after they changed. */
  update(): void;
}

/** What a lane tells its connection. */
export interface LaneEvents {
  /** A chunk arrived here and is not lost. */
  readonly seen: (chunk: Buffer) => void;
  /** So many bytes are lost for good; `'end'`: with them the end of the stream. */
  readonly lost: (what: 'bytes' | 'end', bytes: number) => void;
}

/** How much waits here before the sender has to. */
const MAX_WAITING_BYTES = 256 * 1024;

/**
 * Carries what `from` sends to `to`, in order, by the rules of `traffic`.
 *
 * @param delayed whether this is the direction that `delayMs` is about
 */
export function openLane(
  from: Socket,
  to: Socket,
  traffic: Traffic,
  delayed: boolean,
  { seen, lost }: LaneEvents,
): Lane {
  /** In order of arrival; `null` is the end of the stream. */
  const waiting: { chunk: Buffer | null; due: number }[] = [];
  let waitingBytes = 0;
  let lastDue = 0;
  let timer: NodeJS.Timeout | undefined;

  const add = (chunk: Buffer | null): void => {
    const now = performance.now();
    const transferMs = ((chunk?.length ?? 0) / traffic.bytesPerSecond) * 1_000;
    lastDue = Math.max(now + (delayed ? traffic.delayMs : 0), lastDue) + transferMs;
    waiting.push({ chunk, due: lastDue });
    waitingBytes += chunk?.length ?? 0;
  };

  const deliver = (): void => {
    clearTimeout(timer);
    if (traffic.state === 'held') return;
    while (waiting[0]) {
      const { chunk, due } = waiting[0];
      const early = due - performance.now();
      if (early > 0) {
        timer = setTimeout(deliver, early).unref();
        break;
      }
      waiting.shift();
      waitingBytes -= chunk?.length ?? 0;
      if (to.destroyed || to.writableEnded) continue;
      if (chunk === null) to.end();
      else to.write(chunk);
    }
    steer();
  };

  /** Reads as long as nobody has to wait. */
  const steer = (): void => {
    if (traffic.state === 'held' || waitingBytes >= MAX_WAITING_BYTES || to.writableNeedDrain) from.pause();
    else from.resume();
  };

  from.on('data', (chunk) => {
    if (traffic.state === 'lost') return lost('bytes', chunk.length);
    seen(chunk);
    for (const piece of pieces(chunk, traffic.bytesPerSecond)) add(piece);
    deliver();
  });
  from.on('end', () => {
    if (traffic.state === 'lost') return lost('end', 0);
    add(null);
    deliver();
  });
  to.on('drain', steer);
  to.once('close', () => clearTimeout(timer));
  steer();

  return {
    update() {
      if (traffic.state === 'lost' && waiting.length > 0) {
        lost(waiting.at(-1)?.chunk === null ? 'end' : 'bytes', waitingBytes);
        waiting.length = waitingBytes = 0;
      }
      // What waits for a delay that no longer holds is due now.
      for (const item of waiting) item.due = 0;
      lastDue = 0;
      deliver();
    },
  };
}

/** At a low rate a chunk trickles: twenty pieces a second. */
function pieces(chunk: Buffer, bytesPerSecond: number): Buffer[] {
  const size = Math.max(1, Math.min(chunk.length, Math.floor(bytesPerSecond / 20)));
  const result: Buffer[] = [];
  for (let start = 0; start < chunk.length; start += size) result.push(chunk.subarray(start, start + size));
  return result;
}
