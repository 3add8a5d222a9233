import { EmitterQueueFullError } from './errors.js';
import type { QueueSettings } from './options.js';
import { QUEUED, type EmitReceipt, type Message } from './outbox.js';

/** A message that waits, and somebody who may wait for what becomes of it. */
export class QueuedEvent {
  readonly receipt: Promise<EmitReceipt>;
  readonly bytes: number;
  private settle: { resolve(receipt: EmitReceipt): void; reject(error: unknown): void } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly message: Message,
    readonly queuedAt: number,
  ) {
    this.bytes = message.channel.length + Buffer.byteLength(message.body);
    this.receipt = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
  }

  /** Whether somebody still waits. */
  get isAwaited(): boolean {
    return this.settle !== undefined;
  }

  /** Calls back when somebody has waited so long. */
  after(ms: number, call: (event: QueuedEvent) => void): void {
    this.timer = setTimeout(call, ms, this);
  }

  resolve(receipt: EmitReceipt): void {
    this.settle?.resolve(receipt);
    this.forget();
  }

  reject(error: unknown): void {
    this.settle?.reject(error);
    this.forget();
  }

  /** Nobody waits any longer. */
  leave(): void {
    this.resolve(QUEUED);
  }

  private forget(): void {
    clearTimeout(this.timer);
    this.settle = undefined;
  }
}

/** What waits, oldest first, within bounds. */
export interface EventQueue {
  readonly length: number;
  readonly bytes: number;
  /** The number of the oldest; each has the next. */
  readonly firstNumber: number;
  /** @throws {EmitterQueueFullError} */
  add(message: Message): QueuedEvent;
  /** All that waits, oldest first. */
  all(): readonly QueuedEvent[];
  /** The oldest, within a number and, unless it is one, a size. */
  peek(most: number, mostBytes: number): readonly QueuedEvent[];
  /** Takes the oldest out. */
  take(count: number): readonly QueuedEvent[];
  /** Takes out what has waited too long. */
  takeOld(): readonly QueuedEvent[];
}

export function createEventQueue({ maxEvents, maxBytes, maxAgeMs }: QueueSettings): EventQueue {
  const events: QueuedEvent[] = [];
  let bytes = 0;
  let firstNumber = 1;

  function take(count: number): readonly QueuedEvent[] {
    const taken = events.splice(0, count);
    firstNumber += taken.length;
    for (const event of taken) bytes -= event.bytes;
    return taken;
  }

  return {
    get length() {
      return events.length;
    },
    get bytes() {
      return bytes;
    },
    get firstNumber() {
      return firstNumber;
    },
    add(message) {
      const event = new QueuedEvent(message, performance.now());
      if (events.length >= maxEvents || bytes + event.bytes > maxBytes) {
        throw new EmitterQueueFullError(events.length);
      }
      events.push(event);
      bytes += event.bytes;
      return event;
    },
    all: () => events,
    peek(most, mostBytes) {
      let size = 0;
      const end = events.findIndex((event, index) => {
        size += event.bytes;
        return index >= most || (index > 0 && size > mostBytes);
      });
      return end === -1 ? events.slice() : events.slice(0, end);
    },
    take,
    takeOld() {
      const bound = performance.now() - maxAgeMs;
      const firstYoung = events.findIndex(({ queuedAt }) => queuedAt >= bound);
      return take(firstYoung === -1 ? events.length : firstYoung);
    },
  };
}
