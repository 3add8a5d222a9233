import type { ServerResponse } from 'node:http';
import type { Response } from 'express';
import { applyHead, guardLateWrites } from '@signalbox/context';
import { canDetach, forwarded } from './detached.js';
import { fieldsNow, restoreBesideCookies } from './fields.js';

/** What becomes of an answer once its status and fields are known. */
export type Course =
  /** To the client, and it is kept. */
  | 'record'
  /** To the client alone. */
  | 'pass'
  /** The client gets something else, and it is kept. */
  | 'divert'
  /** The client gets something else. */
  | 'discard';

export interface RecorderListener {
  /**
   * Status and fields stand in the response, and nothing is sent yet. Whoever takes another course than to let it
   * through answers the client by himself.
   *
   * @param whole the body, where it comes all at once
   */
  head(whole: Buffer | undefined): Course;
  /** The body is too long to keep. It goes on, to the client alone. */
  tooLong(): void;
  /** The answer is complete. `undefined`: its body was too long to keep, or is not kept. */
  done(body: Buffer | undefined): void;
}

type HeardMethod = 'writeHead' | 'write' | 'end' | 'flushHeaders';

/** Where a method of whoever stands above is kept. */
interface Slot {
  get(): unknown;
  set(method: unknown): void;
}

/**
 * Listens to what is written to a response. Without what it sends by itself: `send` passes by it.
 */
export class Recorder {
  /** Those of whoever wrapped them before, such as compression. */
  private readonly above: Map<HeardMethod, Slot> = new Map();
  private isPassing = false;
  private course: Course | undefined = undefined;
  private chunks: Buffer[] = [];
  private bytes = 0;
  private isDone = false;
  private isMuted = false;
  private isEnding = false;
  /** Whether something else was sent than what is written. */
  private isAnswered = false;
  /** Whether the head is asked for that those who wrapped the response below would send. */
  private isAsking = false;
  private readonly hears: unknown;
  /** That of whoever wrapped it below. */
  private asked: unknown;
  /** The response that handlers answer now, since this one was answered in their place. */
  private other: ServerResponse | undefined = undefined;

  /** @param seen what handlers know as the response, where another one is sent in its place */
  constructor(
    private readonly res: ServerResponse,
    private readonly maxBytes: number,
    private readonly listener: RecorderListener,
    private readonly seen: ServerResponse = res,
  ) {
    this.hear('writeHead', (args) => this.hearHead(args));
    this.hear('write', (args) => this.hearWrite(args));
    this.hear('end', (args) => this.hearEnd(args));
    this.hear('flushHeaders', () => {
      this.ask();
      this.decide(undefined);
      if (!this.isKeptBack) this.pass('flushHeaders', []);
    });
    this.hears = Reflect.get(res, 'writeHead');
    this.asked = this.hears;
  }

  private hear(name: HeardMethod, listener: (args: unknown[]) => unknown): void {
    const { res } = this;
    const above = slotOf(res, name);
    this.above.set(name, above);
    let heard: unknown = (...args: unknown[]) =>
      this.other === undefined ? listener(args) : forwarded(this.other, res, name, args);
    Object.defineProperty(res, name, {
      configurable: true,
      enumerable: true,
      get: () => (this.isHis(name) ? above.get() : heard),
      set: (method: unknown) => {
        if (this.isHis(name)) above.set(method);
        else heard = method;
      },
    });
  }

  /** The head may be written once more by name, as Node does it, and goes its way only once. */
  private isHis(name: HeardMethod): boolean {
    return this.isPassing && (name === 'write' || name === 'end');
  }

  /**
   * Calls who stands above. So long `write` and `end` are his: many a middleware puts back the one it found, and calls that
   * by name, and what handlers write is to be heard all the same.
   */
  private pass(name: HeardMethod, args: unknown[]): unknown {
    const { isPassing } = this;
    this.isPassing = true;
    try {
      return Reflect.apply(this.above.get(name)?.get() as () => unknown, this.res, args);
    } finally {
      this.isPassing = isPassing;
    }
  }

  /** Answers the client in the place of what is written. */
  send(body: Buffer | undefined): void {
    this.course ??= 'discard';
    this.isAnswered = true;
    this.asked = Reflect.get(this.res, 'writeHead');
    // Node asks for it by name, maybe later, where somebody above holds the answer back for a while.
    define(this.res, 'writeHead', (...args: unknown[]) => this.pass('writeHead', args));
    this.pass('end', body === undefined ? [] : [body]);
  }

  /** What handlers write from now on goes there, by way of those who wrapped the response below. */
  redirect(other: ServerResponse): void {
    this.other = other;
    define(this.res, 'writeHead', this.asked);
  }

  /** Hears nothing from now on, and lets nothing through. */
  mute(): void {
    this.isMuted = true;
    this.chunks = [];
  }

  /** The answer is on its way, yet held back by somebody above: what becomes of its head meanwhile is undone. */
  freezeHead(): void {
    const { res } = this;
    const { statusCode, statusMessage } = res;
    const fields = fieldsNow(res);
    define(res, 'writeHead', () => {
      // Who holds an answer back may do so to add one.
      restoreBesideCookies(res, fields);
      res.statusMessage = statusMessage;
      return this.pass('writeHead', [statusCode]);
    });
  }

  get hasHead(): boolean {
    return this.course !== undefined;
  }

  private get isKeptBack(): boolean {
    return this.isMuted || this.course === 'divert' || this.course === 'discard';
  }

  private get isRecording(): boolean {
    return this.course === undefined || this.course === 'record' || this.course === 'divert';
  }

  private hearHead(args: unknown[]): ServerResponse {
    if (this.isAsking) {
      applyHead(this.res, args);
      return this.res;
    }
    if (this.course !== undefined) {
      // What Node sends by itself before the first byte, or the same once more.
      return this.isKeptBack ? this.res : this.passHead(args);
    }
    applyHead(this.res, args);
    this.decide(undefined);
    return this.isKeptBack ? this.res : this.passHead([this.res.statusCode]);
  }

  private passHead(args: unknown[]): ServerResponse {
    if (this.res.headersSent && args.length <= 1) return this.res;
    return this.pass('writeHead', args) as ServerResponse;
  }

  private hearWrite(args: unknown[]): boolean {
    const [chunk, encoding] = args;
    this.ask();
    this.decide(undefined);
    this.collect(chunk, encoding);
    if (!this.isKeptBack) return this.pass('write', args) as boolean;
    callLast(args);
    return true;
  }

  private hearEnd(args: unknown[]): ServerResponse {
    const [chunk, encoding] = args;
    const hasChunk = chunk !== undefined && chunk !== null && typeof chunk !== 'function';
    if (this.isDone || this.isMuted) return this.passEnd(args);
    // Before anything is collected: where it fails, something else is written in the place of this.
    this.ask();
    this.isEnding = true;
    if (this.course === undefined) {
      if (hasChunk) this.collect(chunk, encoding);
      const whole = this.bytes <= this.maxBytes ? joined(this.chunks, this.bytes) : undefined;
      this.chunks = whole === undefined ? [] : [whole];
      this.decide(whole);
    } else if (hasChunk) {
      this.collect(chunk, encoding);
    }
    this.isDone = true;
    const body =
      this.isRecording && this.bytes <= this.maxBytes ? joined(this.chunks, this.bytes) : undefined;
    this.chunks = [];
    const isKeptBack = this.isKeptBack;
    if (!isKeptBack) this.pass('end', args);
    this.listener.done(body);
    if (isKeptBack) callLast(args);
    return this.res;
  }

  private passEnd(args: unknown[]): ServerResponse {
    if (!this.isKeptBack) this.pass('end', args);
    else callLast(args);
    return this.res;
  }

  /** Whoever wrapped `writeHead` below adds what he has to say when Node sends the head: too late to be judged, and kept. */
  private ask(): void {
    const { res, seen } = this;
    if (this.course !== undefined || this.isMuted || seen.writeHead === this.hears) return;
    this.isAsking = true;
    try {
      seen.writeHead(res.statusCode);
    } finally {
      this.isAsking = false;
    }
    // Once is enough.
    if (seen === res) Reflect.set(res, 'writeHead', this.hears);
  }

  private decide(whole: Buffer | undefined): void {
    if (this.course !== undefined || this.isMuted) return;
    // Before it is asked, since it may send something itself.
    this.course = 'pass';
    this.course = this.listener.head(whole);
    this.leave();
  }

  /** Handlers who go on when something else was sent change nothing of it, and break no connection. */
  private leave(): void {
    const { res } = this;
    if (!this.isAnswered || this.isEnding || !canDetach(res.req, res)) return;
    if (!res.headersSent) this.freezeHead();
    guardLateWrites(res as Response, () => undefined);
  }

  private collect(chunk: unknown, encoding: unknown): void {
    if (!this.isRecording || this.isMuted || this.bytes > this.maxBytes) return;
    const bytes = bytesOf(chunk, encoding);
    this.bytes += bytes.length;
    if (this.bytes <= this.maxBytes) {
      this.chunks.push(bytes);
      return;
    }
    this.chunks = [];
    if (this.course === undefined) return;
    this.listener.tooLong();
    this.leave();
  }
}

function slotOf(res: ServerResponse, name: HeardMethod): Slot {
  const found = Object.getOwnPropertyDescriptor(res, name);
  // That of another cache above, which hears, too.
  if (found?.get !== undefined) {
    return { get: () => found.get?.call(res) as unknown, set: (method) => found.set?.call(res, method) };
  }
  let method: unknown = Reflect.get(res, name);
  return {
    get: () => method,
    set(next) {
      method = next;
    },
  };
}

function define(res: ServerResponse, name: string, value: unknown): void {
  Object.defineProperty(res, name, { configurable: true, writable: true, enumerable: true, value });
}

function joined(chunks: readonly Buffer[], bytes: number): Buffer {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
}

/** A copy, since the handler may use its buffer again. */
function bytesOf(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  }
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.alloc(0);
}

function callLast(args: unknown[]): void {
  const callback = args.find((arg) => typeof arg === 'function');
  if (typeof callback === 'function') process.nextTick(callback);
}
