import { ServerResponse } from 'node:http';
import { noteWaiting } from './drain-listeners.js';
import { fieldsChangedSince, fieldsWith, headOf, restoreHead, type Head } from './response-head.js';
import { privateFields, sayPrivate } from './say-private.js';

/** What a response waits for before anything of it leaves. */
export interface HoldOwner {
  /**
   * Looks whether there is something to save; called before the first byte, and again before the last one.
   * Answers what to wait for, or `undefined`.
   */
  toSave(): Promise<void> | undefined;
  /** Whether `toSave` is to be called before what is sent now, too. */
  isDue?(): boolean;
  /** What the response sets by it, as it stands in `Set-Cookie`. With such a cookie it is for nobody else. */
  cookies?(): string[];
  /** Hears why it could not be saved, or not be sent: what the handler sent is dropped. */
  notSaved(error: unknown): void;
}

type Original = (...args: never[]) => unknown;
/** `flush` is compression's: what it has made of the bytes by now is to leave. */
type Method = 'writeHead' | 'write' | 'end' | 'flushHeaders' | 'flush';
/** As functions that are called on whatever response they are given. */
type Originals = Readonly<Record<Method, Original>>;

/** Nothing has left yet; a save is awaited; whatever comes goes out; what comes is that of the error handler. */
const [OPEN, SAVING, PASSED, FAILED] = [0, 1, 2, 3];

const HOLD = Symbol('signalbox.hold');

type Held = ServerResponse & { [HOLD]?: Hold };

/**
 * What has not left can be changed still, though `headersSent` says that it has. A handshake may have no response: `{}` is
 * given for one, as in the examples of `ws`.
 */
export function hasLeft(res: ServerResponse): boolean {
  return (
    Reflect.get(res, 'setHeader') === undefined || Reflect.get(ServerResponse.prototype, 'headersSent', res)
  );
}

/** Holds a response back until what its owners have for it is saved, such as a session. */
export function holdResponse(res: ServerResponse, owner: HoldOwner): void {
  // That of a handshake by Socket.IO has fields and no bytes, and nobody waits for them.
  if (Reflect.get(res, 'getHeaders') === undefined) return;
  const held = res as Held;
  if (held[HOLD] !== undefined) return held[HOLD].add(owner);
  held[HOLD] = new Hold(res, owner);
  Object.defineProperties(res, HELD_METHODS);
}

type Call = [method: Method, behind: Original, args: unknown[]];

class Hold {
  readonly writeHead: Original;
  readonly write: Original;
  readonly end: Original;
  readonly flushHeaders: Original;
  readonly flush: Original | undefined;
  phase: number = OPEN;
  private calls: Call[] = [];
  /** The methods of those that wrapped the response after this one. */
  private readonly wrappers: Partial<Record<Method, Original>> = {};
  /** The same, as the handler finds them. */
  private readonly heldWrappers: Partial<Record<Method, Original>> = {};
  private hasEnd = false;
  /** Where a write is held: tells whoever waits for that to go on. */
  private endWaiting: ReturnType<typeof noteWaiting> | undefined = undefined;
  /** Why it could not be saved. */
  private failure: unknown = undefined;
  /** As it was when the handler began to send. */
  private head: Head | undefined = undefined;
  private readonly owners: HoldOwner[];

  constructor(
    private readonly res: ServerResponse,
    owner: HoldOwner,
  ) {
    this.owners = [owner];
    const { writeHead, write, end, flushHeaders, flush } = res as Omit<Originals, 'flush'> &
      Partial<Originals>;
    this.writeHead = writeHead;
    this.write = write;
    this.end = end;
    this.flushHeaders = flushHeaders;
    this.flush = flush;
  }

  add(owner: HoldOwner): void {
    if (!this.owners.includes(owner)) this.owners.push(owner);
  }

  methodOf(name: Method): Original | undefined {
    return this.heldWrappers[name] ?? (this[name] && HELD[name]);
  }

  /** Waits before the wrapper, too: it is not to hear of an answer that is dropped, as if that had left. */
  wrap(method: Method, wrapper: Original): void {
    this.wrappers[method] = wrapper;
    this.heldWrappers[method] = heldMethod(method, wrapper);
  }

  /**
   * Makes the call now or later.
   *
   * @param res the response, or a view of it
   */
  call(method: Method, behind: Original, res: ServerResponse, args: unknown[]): unknown {
    // Nothing is there to leave, and nothing begins.
    if (method === 'flush' && this.phase === OPEN) return undefined;
    if (this.phase === OPEN || (this.phase === PASSED && (method === 'end' || this.isDue()))) this.begin();
    if (this.phase === SAVING) this.keep(method, behind, args);
    if (this.phase === PASSED || (this.phase === FAILED && !this.isDropped(method)))
      return this.pass(method, behind, res, args);
    if (this.phase === FAILED) this.tellDropped(args);
    return method === 'write' ? false : res;
  }

  private isDue(): boolean {
    for (const owner of this.owners) if (owner.isDue?.() === true) return true;
    return false;
  }

  /** Waits for one owner after the other: whoever was first may have something new by then. */
  private begin(): void {
    for (const owner of this.owners) if (this.waitsFor(owner)) return;
    this.phase = PASSED;
  }

  private waitsFor(owner: HoldOwner): boolean {
    try {
      const saving = owner.toSave();
      if (saving === undefined) return false;
      this.phase = SAVING;
      saving.then(
        () => this.saved(),
        (error: unknown) => this.fail(error, owner),
      );
    } catch (error) {
      // Such as a value that is no JSON. The handler's call is over when the error handler runs.
      this.phase = SAVING;
      process.nextTick(() => this.fail(error, owner));
    }
    return true;
  }

  /** Of two answers the first one counts, as where nothing is held. */
  private keep(method: Method, behind: Original, args: unknown[]): void {
    const { res } = this;
    const call: Call = [method, behind, args];
    if (method === 'write') this.endWaiting ??= noteWaiting(res);
    if (this.hasEnd) {
      // What a wrapper, as compression, still makes of the bytes that it was given before.
      const isOfWrapper = behind !== (this.wrappers[method] ?? this[method]);
      if (isOfWrapper) this.calls.splice(-1, 0, call);
      else this.tellDropped(args);
      return;
    }
    if (this.calls.length === 0 && !hasLeft(res)) {
      this.head = headOf(res);
      Object.defineProperty(res, 'headersSent', TRUE);
    }
    this.calls.push(call);
    this.hasEnd = method === 'end';
    if (!this.hasEnd) return;
    // Whoever fails from here on breaks the connection under what has begun, and not under an answer that is whole.
    if (hasLeft(res)) Object.defineProperty(res, 'writableEnded', TRUE);
    else this.pretendNothing();
  }

  private pretendNothing(): void {
    Reflect.deleteProperty(this.res, 'headersSent');
    Reflect.deleteProperty(this.res, 'writableEnded');
  }

  /** What was set since, as by an error handler, is not of the answer that leaves. */
  private bringBackHead(): void {
    const { res, head } = this;
    this.head = undefined;
    this.pretendNothing();
    if (head !== undefined) restoreHead(head, res);
  }

  /** The handler may have gone on, and changed something, while its first byte was held. */
  private saved(): void {
    this.begin();
    if (this.phase === PASSED) this.release();
  }

  private pass(method: Method, behind: Original, res: ServerResponse, args: unknown[]): unknown {
    return Reflect.apply(behind, res, hasLeft(res) ? args : this.withCookies(method, res, args));
  }

  /**
   * A cache further on may keep an answer together with its cookies (RFC 9111 section 7.3): what sets one says that it is
   * private. Node would put the cookies that `writeHead` is given in the place of the session's.
   */
  private withCookies(method: Method, res: ServerResponse, args: unknown[]): unknown[] {
    const cookies = this.owners.flatMap((owner) => owner.cookies?.() ?? []);
    if (cookies.length === 0) return args;
    sayPrivate(res);
    const at = method === 'writeHead' ? args.findLastIndex(isFields) : -1;
    return at === -1 ? args : args.with(at, privateFields(fieldsWith(args[at] as object, cookies)));
  }

  private release(): void {
    const { calls, res } = this;
    this.calls = [];
    this.hasEnd = false;
    this.bringBackHead();
    let isFull = false;
    try {
      for (const [method, behind, args] of calls) {
        const answer: unknown = this.pass(method, behind, res, args);
        if (method === 'write') isFull = answer === false;
      }
    } catch (error) {
      // What the handler would have been told at once, as of a header that is not allowed.
      this.fail(error, this.owners[0]);
      return;
    }
    // Whoever was told to wait goes on; where the socket is full, Node says so later.
    if (this.phase === PASSED) this.stopNoting(!isFull && !res.writableEnded);
  }

  private stopNoting(mayGoOn: boolean): void {
    const { endWaiting } = this;
    this.endWaiting = undefined;
    endWaiting?.(mayGoOn);
  }

  private fail(error: unknown, owner: HoldOwner | undefined): void {
    const { calls, res } = this;
    this.phase = FAILED;
    this.failure = error;
    this.stopNoting(false);
    this.calls = [];
    this.pretendNothing();
    this.head = undefined;
    const head = headOf(res);
    // A cache that stands before the handler has heard an answer, and would take this one for that of a handler too late.
    Object.defineProperties(res, HELD_METHODS);
    owner?.notSaved(error);
    if (!this.hasEnd && !hasLeft(res)) this.head = head;
    for (const [, , args] of calls) this.tellDropped(args);
  }

  /** A handler that has not ended goes on, and an error handler that takes its time sets a status or a field first. */
  private isDropped(method: Method): boolean {
    const { head, res } = this;
    if (res.writableEnded) return true;
    if (head === undefined) return false;
    const isSameHead = res.statusCode === head.statusCode && fieldsChangedSince(head, res).length === 0;
    if (isSameHead && method !== 'writeHead') return true;
    this.head = undefined;
    return false;
  }

  /** Whoever waits until it is written, to give something back then, would wait for ever. */
  private tellDropped(args: unknown[]): void {
    const callback = args.at(-1);
    if (typeof callback === 'function') process.nextTick(callback, this.failure);
  }
}

function isFields(arg: unknown): boolean {
  return typeof arg === 'object' && arg !== null;
}

/** Of what Node says once something has left: what waits here is as good as sent to whoever asks. */
const TRUE: PropertyDescriptor = { configurable: true, value: true };

/** Those that wrapped the response twice, as a view of it, still find it. */
function holdOf(res: ServerResponse): Hold {
  return (res as Held)[HOLD] as Hold;
}

/** @param behind by default what the response had before it was held */
function heldMethod(name: Method, behind?: Original): Original {
  return function held(this: ServerResponse, ...args: unknown[]): unknown {
    const hold = holdOf(this);
    return hold.call(name, behind ?? (hold[name] as Original), this, args);
  };
}

/** The same functions for all responses: one that is made for each costs more than what it does. */
const HELD: Originals = {
  writeHead: heldMethod('writeHead'),
  write: heldMethod('write'),
  end: heldMethod('end'),
  flushHeaders: heldMethod('flushHeaders'),
  flush: heldMethod('flush'),
};

const HELD_METHODS: PropertyDescriptorMap = {
  writeHead: heldProperty('writeHead'),
  write: heldProperty('write'),
  end: heldProperty('end'),
  flushHeaders: heldProperty('flushHeaders'),
  flush: heldProperty('flush'),
};

function heldProperty(name: Method): PropertyDescriptor & ThisType<ServerResponse> {
  return {
    configurable: true,
    enumerable: true,
    get() {
      return holdOf(this).methodOf(name);
    },
    set(wrapper: Original) {
      if (Object.hasOwn(this, HOLD)) holdOf(this).wrap(name, wrapper);
      else {
        const own = { configurable: true, enumerable: true, writable: true, value: wrapper };
        Object.defineProperty(this, name, own);
      }
    },
  };
}
