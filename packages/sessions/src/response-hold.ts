import { ServerResponse } from 'node:http';

/** What a response waits for before anything of it leaves. */
export interface HoldOwner {
  /**
   * Looks whether there is something to save; called before the first byte, and again before the last one.
   * Answers what to wait for, or `undefined`.
   */
  toSave(): Promise<void> | undefined;
  /** What the response sets for the session, as it stands in `Set-Cookie`. */
  cookies(): string[];
  /** Hears why it could not be saved: what the handler sent is dropped. */
  notSaved(error: unknown): void;
}

type Original = (...args: never[]) => unknown;
type Method = 'writeHead' | 'write' | 'end' | 'flushHeaders';
/** As functions that are called on whatever response they are given. */
type Originals = Readonly<Record<Method, Original>>;

/** Nothing has left yet; a save is awaited; whatever comes goes out; what comes is that of the error handler. */
const [OPEN, SAVING, PASSED, FAILED] = [0, 1, 2, 3];

const HOLD = Symbol('signalbox.sessions.hold');

type Held = ServerResponse & { [HOLD]?: Hold };

/** What has not left can be changed still, though `headersSent` says that it has. */
export function hasLeft(res: ServerResponse): boolean {
  return Reflect.get(ServerResponse.prototype, 'headersSent', res);
}

/** Holds a response back until the session is saved. express-session by itself sends the headers first. */
export function holdResponse(res: ServerResponse, owner: HoldOwner): void {
  if (HOLD in res) return;
  (res as Held)[HOLD] = new Hold(res, owner);
  // The same functions for all responses: one that is made for each costs more than what it does.
  res.writeHead = heldWriteHead as typeof res.writeHead;
  res.write = heldWrite as typeof res.write;
  res.end = heldEnd as typeof res.end;
  res.flushHeaders = heldFlushHeaders;
}

/** Status and fields of a response. */
interface Head {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly fields: Readonly<ReturnType<ServerResponse['getHeaders']>>;
}

class Hold {
  readonly writeHead: Original;
  readonly write: Original;
  readonly end: Original;
  readonly flushHeaders: Original;
  phase: number = OPEN;
  private calls: [method: Method, args: unknown[]][] = [];
  private hasEnd = false;
  /** As it was when the handler began to send. */
  private head: Head | undefined = undefined;

  constructor(
    private readonly res: ServerResponse,
    private readonly owner: HoldOwner,
  ) {
    const { writeHead, write, end, flushHeaders } = res as Originals;
    this.writeHead = writeHead;
    this.write = write;
    this.end = end;
    this.flushHeaders = flushHeaders;
  }

  /** Answers whether the call goes through now; else it is made later. */
  admits(method: Method, args: unknown[]): boolean {
    if (this.phase === OPEN || (this.phase === PASSED && method === 'end')) this.begin();
    if (this.phase === SAVING) this.keep(method, args);
    return this.phase === PASSED || (this.phase === FAILED && !this.res.writableEnded);
  }

  private begin(): void {
    try {
      const saving = this.owner.toSave();
      this.phase = saving === undefined ? PASSED : SAVING;
      saving?.then(
        () => this.saved(),
        (error: unknown) => this.fail(error),
      );
    } catch (error) {
      // Such as a value that is no JSON. The handler's call is over when the error handler runs.
      this.phase = SAVING;
      process.nextTick(() => this.fail(error));
    }
  }

  /** Of two answers the first one counts, as where nothing is held. */
  private keep(method: Method, args: unknown[]): void {
    const { res } = this;
    if (this.hasEnd) return;
    if (this.calls.length === 0 && !hasLeft(res)) {
      const { statusCode, statusMessage } = res;
      this.head = { statusCode, statusMessage, fields: res.getHeaders() };
      Object.defineProperty(res, 'headersSent', HEADERS_SENT);
    }
    this.calls.push([method, args]);
    this.hasEnd = method === 'end';
    // Whoever fails from here on breaks the connection under what has begun, and not under an answer that is whole.
    if (this.hasEnd) Reflect.deleteProperty(res, 'headersSent');
  }

  /** What was set since, as by an error handler, is not of the answer that leaves. The session's cookie is. */
  private restoreHead(): void {
    const { res, head } = this;
    this.head = undefined;
    Reflect.deleteProperty(res, 'headersSent');
    if (head === undefined) return;
    res.statusCode = head.statusCode;
    res.statusMessage = head.statusMessage;
    const names = new Set([...res.getHeaderNames(), ...Object.keys(head.fields)]);
    names.delete('set-cookie');
    for (const name of names) {
      const value = head.fields[name];
      if (value === undefined) res.removeHeader(name);
      else if (value !== res.getHeader(name)) res.setHeader(name, value);
    }
  }

  /** The handler may have gone on, and changed something, while its first byte was held. */
  private saved(): void {
    this.begin();
    if (this.phase === PASSED) this.release();
  }

  /** @param res the response, or a view of it */
  pass(method: Method, res: ServerResponse, args: unknown[]): unknown {
    return Reflect.apply(this[method], res, method === 'writeHead' ? this.withCookies(args) : args);
  }

  /** Node would put the cookies that `writeHead` is given in the place of the session's. */
  private withCookies(args: unknown[]): unknown[] {
    const at = args.findLastIndex((arg) => typeof arg === 'object' && arg !== null);
    const cookies = at === -1 ? [] : this.owner.cookies();
    return cookies.length === 0 ? args : args.with(at, fieldsWith(args[at] as object, cookies));
  }

  private release(): void {
    const { calls, res } = this;
    this.calls = [];
    this.restoreHead();
    let isWaitedFor = false;
    let isFull = false;
    try {
      for (const [method, args] of calls) {
        const answer: unknown = this.pass(method, res, args);
        if (method !== 'write') continue;
        isWaitedFor = true;
        isFull = answer === false;
      }
    } catch (error) {
      // What the handler would have been told at once, as of a header that is not allowed.
      this.fail(error);
      return;
    }
    // Whoever was told to wait goes on; where the socket is full, Node says so later.
    if (isWaitedFor && !isFull && !res.writableEnded) res.emit('drain');
  }

  private fail(error: unknown): void {
    this.phase = FAILED;
    this.calls = [];
    Reflect.deleteProperty(this.res, 'headersSent');
    this.owner.notSaved(error);
  }
}

/** Node says so once they have left; what waits here is as good as sent to whoever asks. */
const HEADERS_SENT: PropertyDescriptor = { configurable: true, value: true };

/** Those that wrapped the response twice, as a view of it, still find it. */
function holdOf(res: ServerResponse): Hold {
  return (res as Held)[HOLD] as Hold;
}

function heldWriteHead(this: ServerResponse, ...args: unknown[]): unknown {
  const hold = holdOf(this);
  return hold.admits('writeHead', args) ? hold.pass('writeHead', this, args) : this;
}

function heldWrite(this: ServerResponse, ...args: unknown[]): unknown {
  const hold = holdOf(this);
  return hold.admits('write', args) ? hold.pass('write', this, args) : false;
}

function heldEnd(this: ServerResponse, ...args: unknown[]): unknown {
  const hold = holdOf(this);
  return hold.admits('end', args) ? hold.pass('end', this, args) : this;
}

function heldFlushHeaders(this: ServerResponse): void {
  const hold = holdOf(this);
  if (hold.admits('flushHeaders', [])) hold.pass('flushHeaders', this, []);
}

/**
 * @param fields as `writeHead` takes them: by name, or names and values in turn, of which some versions of Node take the
 * last one of a name alone
 */
function fieldsWith(fields: object, cookies: readonly string[]): object {
  const pairs = Array.isArray(fields) ? pairsOf(fields) : Object.entries(fields);
  const isCookie = ([name]: readonly unknown[]): boolean => /^set-cookie$/i.test(String(name));
  if (!pairs.some(isCookie)) return fields;
  const given = pairs.filter(isCookie).flatMap(([, value]) => value);
  const others = pairs.filter((pair) => !isCookie(pair));
  return [...others, ['Set-Cookie', [...given, ...cookies]]].flat(1);
}

function pairsOf(list: readonly unknown[]): [unknown, unknown][] {
  return list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]]] : []));
}
