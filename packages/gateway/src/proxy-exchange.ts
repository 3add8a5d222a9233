import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { facts } from '@signalbox/context';
import type { Request } from 'express';
import type { Verdict } from './breaker.js';
import { UpstreamTimeoutError } from './errors.js';
import { MAX_INFORMATIONAL, sendInformational, sendTrailers } from './proxy-beside-body.js';
import { ProxyCall, ROUTE, type Caller, type CallOutcome } from './proxy-call.js';
import { answerOn, endWithin, onDrain, passError, soFarTo, writeTo, type Answering } from './proxy-client.js';
import type { Connection, ConnectionUser } from './connection.js';
import { InRequestContext } from './proxy-context.js';
import { deadlineMsOf, hasTimedOut, isAnswered } from './proxy-deadline.js';
import { exchangeFailure, tooSlow, unusableAnswer, type At } from './proxy-failures.js';
import { mayRepeat, sendTo, type OutgoingRequest } from './proxy-outgoing.js';
import { Pace } from './proxy-pace.js';
import { atTurnsEnd, corkConnection } from './proxy-turn.js';
import { UploadBody } from './proxy-request-body.js';
import type { ProxyRequest } from './proxy-request-headers.js';
import { hasNoBody, TooLargeAnswerError, UnusableHeadError, writeHead } from './proxy-response-head.js';
import { serverOf, type Target } from './proxy-targets.js';
import { drop, openTunnel } from './proxy-tunnel.js';
import type { ProxyCore, Watched } from './proxy-watch.js';
import type { Server } from './server.js';
import { nobodyAsked } from './upstream.js';

const WAITING = 0;
const ANSWERING = 1;
const DONE = 2;

/** One request on its way to the upstream and back: what undici calls, and what ends it from either side. */
export class ProxyExchange extends InRequestContext implements Watched, Caller, Answering, ConnectionUser {
  next: Watched | undefined = undefined;
  previous: Watched | undefined = undefined;

  private phase = WAITING;
  private attempts = 0;
  private asked: Set<Server> | undefined = undefined;
  private call: ProxyCall | undefined = undefined;
  private ownConnection: Connection | undefined = undefined;
  private readonly pace: Pace = new Pace();
  private abortUpstream: ((error?: Error) => void) | undefined = undefined;
  private judgement: Verdict = 'ok';
  private status: number | undefined = undefined;
  private contentLength: number | undefined = undefined;
  private isEventStream = false;
  private informational = 0;
  private waitsForDrain = false;
  private corked: Socket | null = null;

  constructor(
    private readonly core: ProxyCore,
    private target: Target,
    private readonly req: ProxyRequest,
    private readonly res: ServerResponse,
    private readonly passOn: (error?: unknown) => void,
    private readonly request: OutgoingRequest,
  ) {
    super();
    answerOn(res, this);
  }

  start(): void {
    // The client may have left before, or missed its deadline: while its body came, or it was looked up who it is.
    if (isAnswered(this.req, this.res)) this.abandon();
    if (this.phase === DONE) return;
    const express = this.req as Request;
    // A deadline that expires tells what was waited for: from now on it is not the client's body.
    if (express.deadline !== undefined) facts(express).phase = `waiting for ${this.target.settings.name}`;
    this.target.budget.deposit();
    this.core.watch.add(this);
    this.ask();
  }

  /** The client has left, or was answered in this proxy's place. */
  abandon(): void {
    if (this.phase === DONE) return;
    const isLate = hasTimedOut(this.req);
    // An answer that has begun may last, as streams and slow clients do: how fast it comes is judged elsewhere.
    const isUpstreams = isLate && this.phase === WAITING && this.hadAChance(deadlineMsOf(this.req));
    this.finish(isUpstreams ? 'failed' : 'neutral', isLate ? 'timeout' : 'aborted');
    this.cutUpstream();
  }

  /** Ends it for a reason that is not the upstream's. */
  refuse(error: Error): void {
    if (this.phase === DONE) return;
    const isBegun = this.phase === ANSWERING;
    this.finish('neutral', 'error');
    this.cutUpstream();
    this.tell(error, isBegun);
  }

  get connection(): Connection | undefined {
    return this.ownConnection;
  }

  /** Set when there is one for it. The time before tells of the others' requests, and nothing of the server. */
  set connection(connection: Connection | undefined) {
    this.ownConnection = connection;
    this.pace.askedAt = connection === undefined ? Infinity : performance.now();
  }

  /** Less than a tenth of what it may take shows nothing of the server: the rest was spent elsewhere. */
  private hadAChance(deadlineMs = Infinity): boolean {
    const askedMs = this.pace.askedMs(performance.now(), this.request.body);
    return askedMs >= Math.min(this.core.settings.timeoutMs, deadlineMs) / 10;
  }

  private ask(): void {
    // While a body came, others may have taken its place.
    this.target = this.core.targets.open(this.target);
    const server = serverOf(this.target, this.asked);
    this.pace.restart(performance.now());
    if (server === undefined) return this.refusedByBreaker();
    this.attempts += 1;
    this.call = new ProxyCall(this.target.settings, server, this.attempts);
    this.call.begin(this);
  }

  dispatch(server: Server): void {
    sendTo(server, this.request, this.core.settings.preserveHost, this);
  }

  refusedByBreaker(): void {
    this.refuse(nobodyAsked(this.target.settings.name, this.target.servers, ROUTE));
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.phase === DONE) abort();
    else this.abortUpstream = abort;
  }

  protected override headCame(status: number, raw: readonly Buffer[], statusText: string): void {
    const { res, req, core } = this;
    if (this.phase === DONE) return;
    if (status < 200) {
      this.informational += 1;
      if (this.informational <= MAX_INFORMATIONAL) sendInformational(req, res, core.settings, status, raw);
      else this.refuseAnswer(new UnusableHeadError('never comes to its final status'));
    } else if (isAnswered(req, res)) this.abandon();
    else this.answer(status, raw, statusText);
  }

  private answer(status: number, raw: readonly Buffer[], statusText: string): void {
    const { res, req } = this;
    this.status = status;
    if (!this.takeHead(status, raw, statusText)) return;
    this.phase = ANSWERING;
    const now = performance.now();
    const askedMs = this.pace.askedMs(now, this.request.body);
    this.pace.restart(now);
    // Other statuses may be one caller's doing, and must not take the server from all the others.
    this.judgement = status === 502 || status === 503 || status === 504 ? 'failed' : 'ok';
    this.call?.count(this.judgement, askedMs);
    // What the client still sends belongs to this request, whether or not anybody reads it.
    if (this.request.body !== null && !req.complete) res.setHeader('Connection', 'close');
    // What undici says of its end is not heard: it takes the length that a 304 may state for that of a body.
    if (hasNoBody(req.method, status)) this.endCame(null);
    else if (this.contentLength !== 0) atTurnsEnd(this);
  }

  private takeHead(status: number, raw: readonly Buffer[], statusText: string): boolean {
    const { req, res, core } = this;
    try {
      const head = writeHead(req, res, core.settings, this.outside(), status, statusText, raw);
      this.contentLength = head.contentLength;
      this.isEventStream = head.isEventStream;
      return true;
    } catch (error) {
      this.refuseAnswer(error);
      return false;
    }
  }

  /** Sends what came in this turn: the head alone where the body takes its time. */
  protected override sendGathered(): void {
    this.uncork();
    if (this.phase === ANSWERING) soFarTo(this.res, this.isEventStream, this.contentLength !== undefined);
  }

  protected override bytesCame(chunk: Buffer): void {
    const { res, pace } = this;
    // The app has ended it, and a slow client has yet to take what there is.
    if (res.writableEnded) this.abandon();
    if (this.phase === DONE) return;
    const { maxResponseBytes, idleTimeoutMs } = this.core.settings;
    pace.came(chunk.length);
    if (pace.received > maxResponseBytes) return this.refuseAnswer(new TooLargeAnswerError(maxResponseBytes));
    // All there will be: the last bytes and the end leave in one write.
    if (pace.received === this.contentLength) {
      this.finish(this.judgement, 'ok');
      endWithin(res, idleTimeoutMs, chunk);
      return;
    }
    if (!this.isEventStream) this.cork();
    if (writeTo(res, chunk, this.isEventStream)) return;
    pace.pause();
    this.connection?.stopReading();
    if (this.waitsForDrain) return;
    this.waitsForDrain = true;
    onDrain(res);
  }

  private cork(): void {
    if (this.corked !== null) return;
    this.corked = corkConnection(this.res);
    if (this.corked !== null) atTurnsEnd(this);
  }

  private uncork(): void {
    // The end of a response has done so already; unless that was another one than what the connection is busy with, as
    // where a cache has sent an older answer in its place.
    this.corked?.uncork();
    this.corked = null;
  }

  drained(): void {
    if (!this.pace.isPaused || this.phase === DONE) return;
    this.pace.resume();
    this.connection?.goOnReading();
  }

  protected override endCame(trailers: (string | Buffer)[] | null): void {
    if (this.phase === DONE) return;
    this.finish(this.judgement, 'ok');
    sendTrailers(this.res, this.core.settings, trailers);
    endWithin(this.res, this.core.settings.idleTimeoutMs);
  }

  protected override tunnelCame(raw: Buffer[] | string[] | null, upstream: Duplex): void {
    const { connection } = this.request;
    if (isAnswered(this.req, this.res)) this.abandon();
    if (this.phase === DONE || connection === undefined) {
      drop(upstream);
      return;
    }
    this.status = 101;
    const { req, res } = this;
    const { settings } = this.core;
    // From the parser they are always bytes.
    const fields = (raw ?? []) as Buffer[];
    try {
      openTunnel({ req, res, connection, upstream, settings, outside: this.outside(), raw: fields });
    } catch (error) {
      drop(upstream);
      this.refuseAnswer(error);
      return;
    }
    this.call?.count('ok', this.pace.askedMs(performance.now(), this.request.body));
    this.finish('ok', 'ok');
  }

  protected override broke(cause: Error): void {
    if (this.request.body instanceof UploadBody && this.request.body.isLost) this.abandon();
    if (this.phase === DONE) return;
    const { settings, budget } = this.target;
    const failure = exchangeFailure(cause, this.at(), settings.connectTimeoutMs);
    if (failure.blame === 'request') {
      this.refuse(failure.error);
      return;
    }
    const isLast = this.phase !== WAITING || this.attempts > settings.retries;
    if (isLast || !mayRepeat(this.request, failure.reached) || !budget.withdraw()) {
      this.breakOff(failure.error);
      return;
    }
    const { call } = this;
    call?.end('failed', 'error', undefined);
    if (call !== undefined) (this.asked ??= new Set()).add(call.server);
    this.call = undefined;
    this.abortUpstream = undefined;
    this.connection = undefined;
    this.ask();
  }

  protected override judge(now: number): void {
    const { settings } = this.core;
    const { body } = this.request;
    if (this.phase === WAITING) {
      if (this.pace.waitedMs(now, body) > settings.timeoutMs)
        this.breakOff(tooSlow(this.at(), 'silent', settings), this.hadAChance() ? 'failed' : 'neutral');
      return;
    }
    const verdict = this.pace.judge(now, body, this.isEventStream, settings);
    if (verdict === 'fine') return;
    if (verdict !== 'stuck') {
      this.breakOff(tooSlow(this.at(), verdict, settings));
      return;
    }
    // What was sent so far is all that this client gets.
    this.abandon();
    this.res.destroy();
  }

  /** The upstream has failed: an error where nothing was sent yet, and else an answer that is seen to be cut. */
  private breakOff(
    error: Error,
    verdict: Verdict = this.ownConnection === undefined ? 'neutral' : 'failed',
  ): void {
    const isBegun = this.phase === ANSWERING;
    this.finish(verdict, error instanceof UpstreamTimeoutError ? 'timeout' : 'error');
    this.cutUpstream();
    this.tell(error, isBegun);
  }

  private refuseAnswer(why: unknown): void {
    this.breakOff(unusableAnswer(this.at(), why), why instanceof TooLargeAnswerError ? 'neutral' : 'failed');
  }

  private tell(error: Error, isBegun: boolean): void {
    const { req, res } = this;
    if (res.destroyed || (isBegun ? res.writableEnded : isAnswered(req, res))) return;
    this.uncork();
    this.runInAsyncScope(passError, undefined, res, this.passOn, error, isBegun);
  }

  protected override failed(error: Error): void {
    if (this.phase === DONE) this.tell(error, true);
    else this.refuse(error);
  }

  private finish(verdict: Verdict, outcome: CallOutcome): void {
    this.phase = DONE;
    this.connection?.goOnReading();
    this.core.watch.remove(this);
    this.call?.end(verdict, outcome, this.status);
  }

  private cutUpstream(): void {
    const { body } = this.request;
    this.abortUpstream?.();
    if (body instanceof UploadBody) body.destroy();
  }

  private outside(): Parameters<typeof writeHead>[3] {
    const { call, core, req } = this;
    if (call === undefined) throw new TypeError('proxy: no server was asked');
    return { address: call.server.address, paths: core.settings.paths, mount: req.baseUrl ?? '' };
  }

  private at(): At {
    return { upstream: this.target.settings.name, server: this.call?.server.address.origin ?? '' };
  }
}
