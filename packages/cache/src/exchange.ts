import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { CacheKey } from './cache-key.js';
import type { Engine } from './engine.js';
import { Entry, fieldOf, type EntryHead, type Field } from './entry.js';
import { addEtag, answerOf, entryHead, freshened, isAbout, tagsOf } from './answer.js';
import {
  fieldsBelow,
  fieldsNow,
  fieldsTakenAway,
  hasCookiesSince,
  joinedField,
  restore,
  restoreBesideCookies,
  varyOf,
  type Before,
} from './fields.js';
import type { Flight } from './flights.js';
import { judge, type Refusal, type Verdict } from './policy.js';
import { Recorder, type Course, type RecorderListener } from './recorder.js';
import { hasCredentials, setRequestField } from './request-fields.js';
import { isKnown, makeNotModified, makePrivate, sendEntry, type Conditions } from './reply.js';
import { keep } from './variants.js';
import { variantOf, type Fields } from './request-key.js';

/** How a request came to be passed on, and what there is beside. */
export interface Call {
  readonly engine: Engine;
  readonly req: Request;
  /** What the client gets; of a call in the background, nobody. */
  readonly res: ServerResponse;
  /** What handlers know as the response. */
  readonly seen: Response;
  readonly key: CacheKey;
  readonly flightKey: CacheKey;
  /** The variants of the URL, where there are several. */
  readonly list: Entry | undefined;
  /** What may be asked for by its validator, or sent where there is an error. */
  readonly stale: Entry | undefined;
  /** Why it was passed on, in the words of RFC 9211 section 2.2. */
  readonly why: string;
  /** Who waits for it. */
  readonly flight: Flight | undefined;
  readonly conditions: Conditions;
  readonly isBackground: boolean;
}

/** A request that handlers answer while the cache listens. */
export class Exchange implements RecorderListener {
  readonly recorder: Recorder;
  /** The fields that stood there before the handlers were asked. */
  readonly before: Before;
  private startedAt = performance.now();
  private stamp: number;
  /** Set once it is clear that the answer is kept. */
  private planned: EntryHead | undefined = undefined;
  private vary: readonly string[] = [];
  private tags: readonly string[] = [];
  private hasValidated = false;
  private isPrepared = false;
  /** Whether whoever answers knows nothing of the answer's validator. */
  private isEtagOurs = false;
  private isOver = false;
  /** Whether the body came at once, so that nothing of it can be missing. */
  private isWhole = false;
  /** Whether there was nobody left to answer before the answer had an end. */
  private isLeft = false;
  private statedLength: string | undefined = undefined;
  /** The fields of the answer, where the client is told that it has it already. */
  private notModified: Before | undefined = undefined;
  /** Whether it said who asks, and its fields: as it came, since a step below may change or take away any of them. */
  private hadCredentials: boolean;
  private asked: Fields;

  constructor(private readonly call: Call) {
    const { engine, req, res, seen } = call;
    this.before = fieldsNow(res);
    this.stamp = engine.store.stamp;
    this.hadCredentials = hasCredentials(req, engine.settings.keys.vary);
    this.asked = { headers: { ...req.headers } };
    this.recorder = new Recorder(res, engine.settings.maxBodyBytes, this, seen);
  }

  /** Makes the request such that what comes back can be kept (RFC 9111 section 4.3.1). */
  prepare(): void {
    const { req, stale } = this.call;
    const etag = stale?.head.etag;
    const lastModified = stale?.head.lastModified;
    this.hasValidated = etag !== undefined || lastModified !== undefined;
    this.isPrepared = true;
    // The client's own conditions are answered from what comes back.
    setRequestField(req, 'if-none-match', etag);
    setRequestField(req, 'if-modified-since', lastModified);
    setRequestField(req, 'if-range', undefined);
    setRequestField(req, 'range', undefined);
  }

  head(whole: Buffer | undefined): Course {
    const { engine, req, res, stale, isBackground } = this.call;
    const { statusCode } = res;
    this.isWhole = whole !== undefined;
    this.statedLength = joinedField(res.getHeader('content-length'));
    if (statusCode === 304 && this.hasValidated && stale !== undefined) return this.freshen(stale);
    if (statusCode >= 500 && stale !== undefined && engine.now() < stale.head.errorUntil) {
      return this.sendStale(stale, `fwd=stale; fwd-status=${statusCode}`);
    }

    const verdict = this.judgeNow(statusCode, undefined);
    const isTooLong = Number(this.statedLength) > engine.settings.maxBodyBytes;
    const kept = typeof verdict === 'object' && !isTooLong;
    if (kept) {
      if (whole !== undefined && engine.settings.etag && statusCode === 200)
        this.isEtagOurs = addEtag(res, whole);
      this.plan(verdict);
    } else this.refuse(typeof verdict === 'object' ? 'too-large' : verdict);
    if (isBackground) return kept ? 'record' : 'pass';

    engine.markForwarded(res, kept ? `${this.call.why}; stored` : this.call.why);
    engine.note(req, 'miss', undefined);
    if (this.isSentPrivate()) makePrivate(res);
    // Whoever was told of the conditions has answered them.
    const isAsked = (kept || this.isPrepared) && res.statusCode === 200;
    if (!isAsked || !isKnown(res, this.call.conditions)) return kept ? 'record' : 'pass';
    this.notModified = fieldsNow(res);
    if (kept) return 'divert';
    this.sendNotModified();
    return 'discard';
  }

  /** Who waits for it need not wait for its end, which may be far. */
  tooLong(): void {
    if (this.planned !== undefined) this.refuse('too-large');
    this.sendNotModified();
  }

  done(body: Buffer | undefined): void {
    // The client got what there was, and what becomes of the rest is settled.
    if (this.isOver) return;
    this.isOver = true;
    this.settle(body);
    // Not before: handlers stop where the response is over.
    this.sendNotModified();
  }

  private settle(body: Buffer | undefined): void {
    const { engine, res } = this.call;
    const head = this.planned;
    if (head === undefined) {
      this.call.flight?.land('not-kept');
      return;
    }
    if (body === undefined || !this.isComplete(body)) {
      this.refuse(body === undefined ? 'too-large' : 'incomplete');
      return;
    }
    // Whoever stands above may have added a cookie when the head left, or the handler begun a session.
    if (hasCookiesSince(res, this.before)) return this.refuse('set-cookie');
    const isOpen = head.isPublic || this.call.key.isPersonal;
    if (!isOpen && this.hasCredentials()) return this.refuse('credentials');
    this.store(new Entry({ ...head, tookMs: performance.now() - this.startedAt }, body));
    engine.tally.stored += 1;
  }

  /** The client is gone, or the handler has torn down the connection. */
  abandoned(): void {
    if (this.isOver) return;
    this.isLeft = true;
    this.call.flight?.land('failed');
  }

  /**
   * Sends what there is, since a new answer takes too long. The handlers go on, and are heard no more here.
   *
   * @returns the fields as they have left them so far
   */
  giveStale(stale: Entry): Before {
    const fields = fieldsNow(this.call.res);
    this.sendStale(stale, 'fwd=stale; detail=soft-timeout');
    this.recorder.mute();
    if (!this.call.res.headersSent) this.recorder.freezeHead();
    return fields;
  }

  /** Goes on with what another one has begun. */
  inherit(other: Exchange): void {
    this.startedAt = other.startedAt;
    this.stamp = other.stamp;
    this.hasValidated = other.hasValidated;
    this.hadCredentials = other.hadCredentials;
    this.asked = other.asked;
  }

  private freshen(stale: Entry): Course {
    const { engine, req, res, why, isBackground } = this.call;
    this.isOver = true;
    const entry = isAbout(res, stale) ? this.renewed(stale) : this.distrusted(stale);
    if (isBackground) return 'pass';
    restoreBesideCookies(res, this.before);
    engine.markForwarded(res, `${why}; fwd-status=304${this.planned === undefined ? '' : '; stored'}`);
    engine.note(req, 'miss', entry.head.route);
    this.send(entry);
    return 'discard';
  }

  /** RFC 9111 section 3.2. */
  private renewed(stale: Entry): Entry {
    const { engine, key, list } = this.call;
    const { status } = stale.head;
    const newer = fieldsBelow(this.call.res, this.before, []);
    const fields = freshened(stale.head.fields, newer, engine.now());
    const verdict = this.judgeNow(status, fields);
    if (typeof verdict === 'string') {
      void engine.store.remove(key);
      this.refuse(verdict);
      return new Entry({ ...stale.head, fields, bornAt: engine.now() }, stale.body);
    }
    // The qualified forms of `private` and `no-cache` hold for what a 304 brings, too (RFC 9111 section 5.2.2.7).
    const kept = fields.filter(([name]) => !verdict.withheld.includes(name.toLowerCase()));
    // What they were made of may be a field, or a step of the handler, that a 304 leaves out.
    this.tags = [...new Set([...stale.head.tags, ...this.tags])];
    const head = entryHead({ ...this.factsOf(), status, fields: kept, verdict, vary: [] });
    // The one that stands in the fields may be ours, of which whoever answers knows nothing.
    this.planned = { ...head, etag: fieldOf(newer, 'etag') ?? stale.head.etag };
    const entry = new Entry(this.planned, stale.body);
    // What it varies by is a field like the others: the 304 may be the first to name it.
    this.vary = [...new Set([...varyOf(this.call, this.before), ...(list?.head.vary ?? [])])].toSorted();
    this.store(entry);
    return entry;
  }

  /** It was said to be what there is, and goes out once more; the next request asks for all of it. */
  private distrusted(stale: Entry): Entry {
    void this.call.engine.store.remove(this.call.key);
    this.refuse('validator');
    return stale;
  }

  private sendStale(stale: Entry, how: string): Course {
    const { engine, req, res, flight, isBackground } = this.call;
    const isOutdated = !this.isCurrent(stale);
    flight?.land({ entry: stale, vary: [], variant: '', isStale: true, isOutdated });
    this.isOver = true;
    if (isBackground) return 'pass';
    restore(res, this.before);
    engine.markForwarded(res, how);
    engine.note(req, 'stale', stale.head.route);
    this.send(stale);
    return 'discard';
  }

  private send(entry: Entry): void {
    const { engine, req, res, conditions } = this.call;
    res.statusMessage = '';
    sendEntry(req, res, entry, conditions, engine.now(), this.isSentPrivate(), (body) =>
      this.recorder.send(body),
    );
  }

  private sendNotModified(): void {
    if (this.notModified === undefined) return;
    makeNotModified(this.call.res, this.notModified);
    this.notModified = undefined;
    this.recorder.send(undefined);
  }

  private hasCredentials(): boolean {
    return this.hadCredentials || hasCredentials(this.call.req, this.call.engine.settings.keys.vary);
  }

  private isSentPrivate(): boolean {
    return this.call.engine.settings.shared || this.call.key.isPersonal;
  }

  private judgeNow(status: number, fields: readonly Field[] | undefined): ReturnType<typeof judge> {
    const { engine, res, key } = this.call;
    const verdict = judge(
      answerOf(res, this.before, status, fields),
      {
        now: engine.now(),
        tookMs: performance.now() - this.startedAt,
        hasCredentials: this.hasCredentials(),
        isPersonal: key.isPersonal,
      },
      engine.settings.policy,
    );
    if (typeof verdict === 'string') return verdict;
    const tags = tagsOf(this.call);
    if (tags === undefined) return 'tags';
    this.tags = tags;
    return verdict;
  }

  private plan(verdict: Verdict): void {
    const { res } = this.call;
    const fields = [...fieldsBelow(res, this.before, verdict.withheld), ...fieldsTakenAway(res, this.before)];
    this.vary = varyOf(this.call, this.before);
    const head = entryHead({ ...this.factsOf(), status: res.statusCode, fields, verdict, vary: this.vary });
    this.planned = this.isEtagOurs ? { ...head, etag: undefined } : head;
  }

  private factsOf(): { call: Call; tags: readonly string[]; stamp: number; tookMs: number } {
    const { call, tags, stamp } = this;
    return { call, tags, stamp, tookMs: performance.now() - this.startedAt };
  }

  private store(entry: Entry): void {
    const { engine, key, list, flight } = this.call;
    engine.noteKept(key);
    const written = keep(engine.store, key, this.asked, list, entry, this.vary);
    const land = (): void =>
      flight?.land({
        entry,
        vary: this.vary,
        variant: variantOf(this.asked, this.vary),
        isStale: false,
        isOutdated: !this.isCurrent(entry),
      });
    // Other processes look when the right is given back: it has to be there by then.
    if (written instanceof Promise && flight?.claim !== undefined) written.then(land, land);
    else land();
  }

  /** Whether nothing was said since it was asked for by which it is forgotten. */
  private isCurrent(entry: Entry): boolean {
    const { engine, key } = this.call;
    return engine.store.isCurrent?.(key, entry, performance.now() - this.startedAt) ?? true;
  }

  private refuse(why: Refusal): void {
    const { engine, res, key, stale, flight } = this.call;
    this.planned = undefined;
    engine.tally.refuse(why);
    // Nobody waits for who has credentials, where answers are for one alone: what others are answered may be for all.
    const isAlone = this.hadCredentials && !this.isSentPrivate();
    if (!isAlone) engine.noteNotKept(key, why, stale && res.statusCode);
    // Where it was an error, the next in line tries before all the others do.
    flight?.land(why === 'status' && res.statusCode >= 500 ? 'failed' : 'not-kept');
  }

  /** What an upstream or a handler breaks off, or counts wrongly, is no answer for anybody else. */
  private isComplete(body: Buffer): boolean {
    // What was begun came to nothing, and what is sent in its place, such as an error, is another answer.
    if (this.call.res.statusCode !== this.planned?.status) return false;
    if (this.planned.status === 204) return true;
    if (this.statedLength !== undefined) return Number(this.statedLength) === body.length;
    // Handlers that see that nobody is there any more end before they are through.
    return this.isWhole || !this.isLeft;
  }
}
