import { RedisStore } from 'connect-redis';
import type { Request } from 'express';
import expressSession, { type Session, type SessionData } from 'express-session';
import type { Settings } from './options.js';
import { KeptSession, publish, type Saver } from './saver.js';
import { readText, type Data, type ReadSession } from './session-text.js';
import { visitOf } from './visit-of.js';

type Callback = (error?: unknown, session?: SessionData | null) => void;

/**
 * connect-redis' store on top of ours. It is what express-session makes sessions with, and `req.sessionStore`: so
 * `req.session.regenerate()`, `save()`, `reload()` and `destroy()` are express-session's own.
 */
export class ExpressStore extends RedisStore {
  /** Sessions without a request of their own, as of Socket.IO. */
  private readonly loaded = new WeakMap<object, KeptSession>();
  /** What `get` has read, until `createSession` makes a session of it. */
  private readonly read: WeakMap<object, ReadSession>;
  /** Makes the session of a request; express-session puts it here. */
  declare generate: (req: Express.Request) => void;

  constructor(
    private readonly settings: Settings,
    private readonly saver: Saver,
  ) {
    const read = new WeakMap<object, ReadSession>();
    super({
      client: clientOf(settings, saver),
      prefix: '',
      disableTouch: true,
      serializer: serializer(read),
    });
    this.read = read;
    expressSession({
      store: this,
      genid: (req) => settings.ids.create(visitOf(req)?.tag),
      // Cookies are signed by `ids`. Were its middleware used, it would have to refuse all of them.
      secret: settings.ids.create(),
      cookie: settings.cookie,
      resave: false,
      saveUninitialized: false,
    });
    const { generate } = this;
    this.generate = (req: Express.Request) => {
      visitOf(req)?.reopen();
      generate(req);
    };
  }

  override createSession(req: Request, data: SessionData): Session & SessionData {
    const read = this.read.get(data);
    // express-session writes to it, and reads `expires` and `originalMaxAge`, which are not kept.
    data.cookie = { ...this.settings.cookie, originalMaxAge: null };
    const session = super.createSession(req, data);
    if (read === undefined) return session;
    const visit = visitOf(req);
    if (visit !== undefined) visit.renew(read.body, read.createdAtMs);
    else this.loaded.set(session, keptOf(this.settings, session.id, read));
    return session;
  }

  /** Saves what has changed. One that nobody knows is created. */
  override async set(sid: string, session: SessionData, callback?: Callback): Promise<void> {
    const visit = 'req' in session ? visitOf(session.req as object) : undefined;
    const current: object | undefined = visit?.current;
    const saved = current === session ? visit?.save() : this.setLoaded(sid, session);
    await settle(saved, callback);
  }

  /** Nothing to send: what reads a session lets its idle time begin anew. */
  override async touch(_sid: string, _session: SessionData, callback?: Callback): Promise<void> {
    callback?.();
  }

  override async destroy(sid: string, callback?: Callback): Promise<void> {
    // connect-redis calls a callback that throws twice.
    await settle(super.destroy(sid), callback);
  }

  override async get(sid: string, callback?: Callback): Promise<SessionData | null> {
    const found = super.get(sid) as Promise<SessionData | null>;
    await settle(found, callback);
    return callback === undefined ? found : null;
  }

  private async setLoaded(sid: string, session: SessionData): Promise<void> {
    const kept = this.loaded.get(session) ?? keptOf(this.settings, sid);
    this.loaded.set(session, kept);
    await this.saver.save(kept, session as Session & SessionData);
  }
}

/** Calls back once, and in a turn of its own: what the callback throws is thrown as from any other. */
async function settle(
  work: Promise<unknown> = Promise.resolve(),
  callback: Callback | undefined,
): Promise<void> {
  if (callback === undefined) {
    await work;
    return;
  }
  await work.then(
    (value) => process.nextTick(callback, null, value),
    (error: unknown) => process.nextTick(callback, error),
  );
}

function keptOf({ ids, now }: Settings, sid: string, read?: ReadSession): KeptSession {
  return new KeptSession(ids, sid, read?.createdAtMs ?? now(), read?.body);
}

/** As much of an ioredis client as connect-redis needs, on top of our store. */
function clientOf({ ids, absoluteMs, now }: Settings, saver: Saver): object {
  return {
    async get(sid: string): Promise<string | undefined> {
      const place = ids.placeOf(sid);
      if (place === undefined) return undefined;
      const text = await saver.read(place);
      const isAlive = Boolean(text) && Number.parseInt(text ?? '', 10) + absoluteMs > now();
      return isAlive ? text : undefined;
    },
    async del(sids: readonly string[]): Promise<number> {
      let ended = 0;
      for (const sid of sids) {
        const place = ids.placeOf(sid);
        if (place !== undefined && (await saver.end(place))) ended += 1;
      }
      for (let each = 0; each < ended; each++) publish('ended');
      return ended;
    },
    /** Keys are hashes, from which no id can be had: nobody can list the sessions by `all()` or `ids()`. */
    async scan(): Promise<never> {
      throw new TypeError('sessions: sessions are listed by user, with sessionsOf(userId)');
    },
  };
}

function serializer(reads: WeakMap<object, ReadSession>): {
  parse(text: string): SessionData;
  stringify(): never;
} {
  return {
    parse(text) {
      const read = readText(text);
      if (read === undefined) throw new TypeError('sessions: the session in the store cannot be read');
      const data: Data = read.data;
      reads.set(data, read);
      return data as Data & SessionData;
    },
    stringify() {
      throw new TypeError('sessions: a session is saved by set()');
    },
  };
}
