import type { Outage } from '@signalbox/redis';
import { signals, type SessionEvent } from '@signalbox/signals';
import type { Session } from 'express-session';
import {
  SessionConflictError,
  SessionEndedError,
  SessionStoreUnavailableError,
  SessionTooLargeError,
  TooManySessionsError,
} from './errors.js';
import type { Settings } from './options.js';
import type { SessionIds } from './session-ids.js';
import { bodyOf, changesBetween, EMPTY_BODY, textOf } from './session-text.js';
import type { Change, Ownership, SessionPlace } from './store.js';

/** What is known of a session in the store. */
export class KeptSession {
  /** What is under way: two saves of one request come one after the other. */
  saving: Promise<void> | undefined = undefined;

  /**
   * @param body as it was read or saved last; `undefined` until it is in the store
   * @param knownPlace spares a hash where it is known
   */
  constructor(
    private readonly ids: SessionIds,
    readonly id: string,
    public createdAtMs: number,
    public body: string | undefined,
    private knownPlace?: SessionPlace,
  ) {}

  /** Most sessions of visitors without a cookie are never saved, and need none. */
  get place(): SessionPlace {
    this.knownPlace ??= this.ids.placeOf(this.id);
    if (this.knownPlace === undefined) throw new TypeError('sessions: the id was not made here');
    return this.knownPlace;
  }
}

/** Brings sessions to the store and says in words of this package what went wrong. */
export interface Saver {
  isChanged(kept: KeptSession, session: Session): boolean;
  /** Sends what has changed. Rejects with one of this package's errors, and then nothing of it is saved. */
  save(kept: KeptSession, session: Session, owner?: Ownership): Promise<void>;
  /** Changes one key; answers `false` when it is no longer what the change was made from. */
  change(kept: KeptSession, change: Change): Promise<boolean>;
  end(place: SessionPlace): Promise<boolean>;
  /** The text of a session, whose idle time begins anew; `''` or `undefined` where there is none any more. */
  read(place: SessionPlace): Promise<string | undefined>;
  /** Asks the store anything. */
  ask<Answer>(question: Promise<Answer>): Promise<Answer>;
}

export function publish(event: SessionEvent['event']): void {
  if (signals.sessionEvent.hasSubscribers) signals.sessionEvent.publish({ event });
}

export function createSaver(settings: Settings, outage: Outage): Saver {
  const { store, idleMs, maxBytes, warnBytes, maxPerUser } = settings;
  let hasWarned = false;

  async function ask<Answer>(question: Promise<Answer>): Promise<Answer> {
    try {
      return await question;
    } catch (error) {
      outage.failed(error, 'unavailable');
      throw new SessionStoreUnavailableError(error);
    }
  }

  function guardSize(body: string): void {
    if (body.length * 3 <= Math.min(warnBytes, maxBytes)) return;
    const bytes = Buffer.byteLength(body);
    if (bytes > maxBytes) {
      publish('save_refused');
      throw new SessionTooLargeError(maxBytes);
    }
    if (bytes <= warnBytes || hasWarned) return;
    hasWarned = true;
    process.emitWarning(
      `sessions: a session has ${bytes} bytes, which are read with each request: keep ids in it, not documents`,
    );
  }

  async function create(kept: KeptSession, body: string, owner: Ownership | undefined): Promise<void> {
    const text = textOf(kept.createdAtMs, body);
    const created = await ask(store.create(kept.place, text, idleMs, owner));
    if (typeof created === 'string') publish('save_refused');
    if (created === 'full') throw new TooManySessionsError(maxPerUser);
    if (created === 'exists') throw new SessionEndedError();
    publish('started');
    for (let evicted = 0; evicted < created; evicted++) publish('revoked');
  }

  async function update(place: SessionPlace, changes: readonly Change[]): Promise<boolean> {
    const updated = await ask(store.update(place, changes, idleMs, maxBytes));
    if (updated === 'saved') return true;
    if (updated === 'conflict') return false;
    publish('save_refused');
    throw updated === 'gone' ? new SessionEndedError() : new SessionTooLargeError(maxBytes);
  }

  async function saveNow(kept: KeptSession, session: Session, owner?: Ownership): Promise<void> {
    const body = bodyOf(session);
    if (body === kept.body) return;
    guardSize(body);
    if (kept.body === undefined) {
      await create(kept, body, owner);
    } else {
      const changes = changesBetween(kept.body, body, settings.isExact);
      if (changes.length > 0 && !(await update(kept.place, changes))) {
        publish('save_refused');
        throw new SessionConflictError();
      }
    }
    kept.body = body;
  }

  /** Whatever became of the one before: what it has not saved is a change still. */
  async function inTurn(kept: KeptSession, work: () => Promise<void>): Promise<void> {
    while (kept.saving !== undefined) await kept.saving.catch(() => undefined);
    const saving = work();
    kept.saving = saving;
    try {
      await saving;
    } finally {
      kept.saving = undefined;
    }
  }

  return {
    isChanged(kept, session) {
      return bodyOf(session) !== (kept.body ?? EMPTY_BODY);
    },
    save: (kept, session, owner) => inTurn(kept, () => saveNow(kept, session, owner)),
    async change(kept, change) {
      let isDone = false;
      await inTurn(kept, async () => {
        isDone = await update(kept.place, [change]);
      });
      return isDone;
    },
    end: (place) => ask(store.end(place)),
    // A store that fails at once fails as one that does so later.
    read: (place) => ask((async () => store.read(place, idleMs))()),
    ask,
  };
}
