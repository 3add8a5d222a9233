import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { facts, outsideRequests, within } from '@signalbox/context';
import { watchOutage, type Outage } from '@signalbox/redis';
import type { Request, RequestHandler, Response } from 'express';
import {
  IdempotencyInProgressError,
  IdempotencyKeyError,
  IdempotencyKeyReusedError,
  IdempotencyNotReplayableError,
  IdempotencyUnavailableError,
} from './errors.js';
import {
  resolveIdempotencyOptions,
  type IdempotencyOptions,
  type ResolvedIdempotency,
} from './idempotency-options.js';
import type { Begun, Claim } from './idempotency-store.js';
import { fingerprintOf, idempotencyKey, requestId } from './idempotent-request.js';
import { GIVEN_UP, recordAnswer, replay, type RecordedAnswer } from './recorded-answer.js';

const POLL_MS = 50;
const FINISH_RETRIES_MS = [200, 500, 1_000];
/** How long an answer waits for a store that has no deadline of its own. */
const HELD_MS = 1_000;

/** Refusals of the moment: nothing was done, and the next try may fare better. */
const NOT_KEPT: ReadonlySet<number> = new Set([401, 403, 408, 409, 425, 429, GIVEN_UP]);

/**
 * Does once what is asked for twice with one `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
 *
 * The first request runs, and its answer is kept before the last of it leaves. The same request with the same key gets
 * that answer again, with `Idempotency-Replayed: true`. While the first one runs, others are 409
 * `idempotency_in_progress`; a key that comes with another request is 422 `idempotency_key_reused`. A 5xx is not kept:
 * the next try runs.
 *
 * Keys are of one caller and one route. Mount it after authentication and after the body parser.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.post('/payments', idempotency({ store: redisIdempotencyStore(redis), secrets }), pay);
 */
export function idempotency(options: IdempotencyOptions = {}): RequestHandler {
  const resolved = resolveIdempotencyOptions(options);
  const { methods, required, onStoreDown, lockSeconds, key: secret } = resolved;
  const outage = watchOutage({
    feature: 'idempotency',
    begins: 'its store does not answer',
    ends: 'it works again',
  });

  return async function idempotencyMiddleware(req, res, next) {
    if (!methods.has(req.method)) return next();
    const field = req.headers['idempotency-key'];
    if (field === undefined) {
      return required ? next(new IdempotencyKeyError('idempotency_key_required')) : next();
    }
    const key = typeof field === 'string' ? idempotencyKey(field) : undefined;
    if (key === undefined) return next(new IdempotencyKeyError('idempotency_key_invalid'));

    const id = requestId(secret, resolved.scope(req), key, req);
    const claim: Claim = { fingerprint: fingerprintOf(secret, req), holder: randomUUID(), lockSeconds };
    let begun: Begun;
    try {
      begun = await begin(id, claim, resolved, req, res);
      outage.works();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      outage.failed(error, onStoreDown);
      // It may have been heard all the same.
      resolved.store.release(id, claim.holder).catch(() => undefined);
      return next(onStoreDown === 'open' ? undefined : new IdempotencyUnavailableError(error));
    }

    if (isAnswered(req, res)) {
      // Who was told that its time is over tries again. What were done now would be done once more then.
      if (begun.state === 'claimed') resolved.store.release(id, claim.holder).catch(() => undefined);
      return;
    }
    if (begun.state === 'claimed') {
      recordAnswer(res, resolved.headers, resolved.maxBytes, {
        // The handler has not ended when its time is over: nobody may begin before its claim runs out.
        ended: (answer) =>
          facts(req).timedOut === true ? undefined : settle(id, claim.holder, answer, resolved, outage),
        failed: (error) => (req.next ?? next)(error),
      });
      return next();
    }
    if (begun.fingerprint !== claim.fingerprint) return next(new IdempotencyKeyReusedError());
    if (begun.state === 'running') return next(new IdempotencyInProgressError());
    answerAgain(begun.answer, res);
  };
}

/** Begins it, or waits for who did, as long as that may take. */
async function begin(
  id: string,
  claim: Claim,
  { store, waitMs }: ResolvedIdempotency,
  req: Request,
  res: Response,
): Promise<Begun> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const begun = await store.begin(id, claim);
    const isOver = begun.state !== 'running' || begun.fingerprint !== claim.fingerprint;
    if (isOver || performance.now() >= untilMs || req.socket.destroyed || isAnswered(req, res)) return begun;
    await wait(Math.max(1, Math.min(POLL_MS, untilMs - performance.now())));
  }
}

/** Whether somebody has answered while it waited, such as its deadline. */
function isAnswered(req: Request, res: Response): boolean {
  return res.headersSent || facts(req).timedOut === true;
}

function answerAgain(kept: string, res: Response): void {
  const answer = JSON.parse(kept) as RecordedAnswer;
  const { body } = answer;
  if (body === null) throw new IdempotencyNotReplayableError();
  replay({ ...answer, body }, res);
}

/**
 * Keeps the answer, or lets the next try begin. Resolves where that is done, or cannot be done now: what was done is
 * done, and its client is to know. Never rejects.
 */
async function settle(
  id: string,
  holder: string,
  answer: RecordedAnswer,
  { store, ttlSeconds, onStoreDown }: ResolvedIdempotency,
  outage: Outage,
): Promise<void> {
  const isKept = answer.status < 500 && !NOT_KEPT.has(answer.status);
  const kept = isKept ? JSON.stringify(answer) : '';
  const isSettled = async (): Promise<boolean> => {
    try {
      await (isKept ? store.finish(id, holder, kept, ttlSeconds) : store.release(id, holder));
      outage.works();
      return true;
    } catch (error) {
      outage.failed(error, onStoreDown);
      return false;
    }
  };
  // Tried again behind the answer's back; in the end the claim runs out by itself.
  const retry = async (): Promise<void> => {
    for (const delayMs of FINISH_RETRIES_MS) {
      await wait(delayMs, undefined, { ref: false });
      if (await isSettled()) return;
    }
  };
  const first = isSettled();
  void first.then((isDone) => (isDone ? undefined : outsideRequests(retry)));
  await within<unknown>(HELD_MS, first, () => undefined);
}

/** A store that cannot be asked now; anything else is a mistake, and nobody's policy. */
function isUnavailable(error: unknown): boolean {
  return error instanceof Error && 'status' in error && error.status === 503;
}
