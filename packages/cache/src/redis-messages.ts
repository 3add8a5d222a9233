import { randomUUID } from 'node:crypto';
import type { RedisLink } from '@signalbox/redis';
import type { Mark } from './ledger.js';

/** What processes tell each other. */
interface Message {
  stamp?: unknown;
  after?: unknown;
  marks?: unknown;
  drop?: unknown;
  from?: unknown;
}

export interface MessageHandlers {
  /** @param after the number before this one: whoever does not know that has missed something */
  marked(marks: readonly Mark[], stamp: number, after: number): void;
  /** By another process. */
  dropped(name: string): void;
  /** Messages may have been missed. @param isFirst since none could be heard before */
  missed(isFirst: boolean): void;
}

export interface Messages {
  /** Whether what others say is heard. */
  readonly isLive: boolean;
  tellDropped(name: string): Promise<unknown>;
  close(): void;
}

/** Until a process hears something, be it itself, it does not know that it hears the others. */
const HELLO_EVERY_MS = 100;

/** Listens to what other processes invalidate. What is no message of ours is passed over. */
export function messages(link: RedisLink, channel: string, handlers: MessageHandlers): Messages {
  const self = randomUUID();
  let isLive = false;
  let timer: NodeJS.Timeout | undefined;

  const end = link.subscribe(channel, hear, {
    onGap() {
      const isFirst = !isLive;
      isLive = true;
      clearTimeout(timer);
      handlers.missed(isFirst);
    },
  });
  sayHello();

  function hear(text: string): void {
    let message: Message;
    try {
      message = JSON.parse(text) as Message;
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    isLive = true;
    clearTimeout(timer);
    if (typeof message.drop === 'string' && message.from !== self) handlers.dropped(message.drop);
    const stamp = Number(message.stamp);
    if (Array.isArray(message.marks) && Number.isSafeInteger(stamp)) {
      handlers.marked(
        message.marks.filter((mark): mark is Mark => typeof mark === 'string' && /^[tpmk]:/.test(mark)),
        stamp,
        Number(message.after),
      );
    }
  }

  function sayHello(): void {
    if (isLive) return;
    link.command('publish', channel, JSON.stringify({ hello: self })).catch(() => undefined);
    timer = setTimeout(sayHello, HELLO_EVERY_MS).unref();
  }

  return {
    get isLive() {
      return isLive;
    },
    tellDropped: (name) => link.command('publish', channel, JSON.stringify({ drop: name, from: self })),
    close() {
      clearTimeout(timer);
      end();
      isLive = false;
    },
  };
}
