import { isManaged } from '@signalbox/server';
import { ClusterError } from './cluster-error.js';
import { type FromManager, type FromWorker, isOurs } from './messages.js';
import type { ReloadOutcome } from './reload-outcome.js';
import type { ClusterStatus } from './status.js';

/** The manager, as the program that it runs sees it. */
export interface ManagerLink {
  /** The workers and how they do. */
  status(): Promise<ClusterStatus>;
  /** Reloads. Resolves when new workers are ready, or it was rolled back; this process is then about to drain. */
  reload(): Promise<ReloadOutcome>;
}

/** A manager that lives answers in far less; reloading takes as long as the program needs to start. */
const STATUS_WITHIN_MS = 5_000;
const RELOAD_WITHIN_MS = 120_000;

let asked = 0;

/**
 * The process manager that this process is a worker of, for an admin page; `undefined` where there is none.
 *
 * @example
 * app.get('/admin/workers', async (req, res) => res.json(await processManager()?.status()));
 */
export function processManager(): ManagerLink | undefined {
  if (!isManaged) return undefined;
  return {
    status: () => ask<ClusterStatus>('status', STATUS_WITHIN_MS),
    reload: () => ask<ReloadOutcome>('reload', RELOAD_WITHIN_MS),
  };
}

/** Who waits, by the number of the question. One listener for all, however many ask at the same time. */
const waiting = new Map<number, { answer(answer: unknown): void; fail(error: ClusterError): void }>();

function ask<Answer>(what: 'status' | 'reload', withinMs: number): Promise<Answer> {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => fail(new ClusterError('timed_out', `the process manager did not answer within ${withinMs} ms`)),
      withinMs,
    );
    const end = (): void => {
      clearTimeout(late);
      waiting.delete(id);
      if (waiting.size > 0) return;
      process.off('message', onMessage);
      process.off('disconnect', onDisconnect);
    };
    const fail = (error: ClusterError): void => {
      end();
      reject(error);
    };
    if (waiting.size === 0) {
      process.on('message', onMessage);
      process.on('disconnect', onDisconnect);
    }
    waiting.set(id, {
      answer(answer) {
        end();
        resolve(answer as Answer);
      },
      fail,
    });
    const question: FromWorker = { signalbox: 'cluster', kind: 'ask', ask: id, what };
    // Where it cannot be sent, `disconnect` has come or will.
    if (process.connected) process.send?.(question, undefined, undefined, () => undefined);
    else onDisconnect();
  });
}

function onMessage(message: unknown): void {
  if (!isOurs(message)) return;
  const news = message as FromManager;
  if (news.kind === 'answer') waiting.get(news.ask)?.answer(news.answer);
}

function onDisconnect(): void {
  for (const asker of waiting.values())
    asker.fail(new ClusterError('not_running', 'the process manager is gone'));
}
