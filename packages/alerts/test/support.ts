import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { testClock, type TestClock } from '@signalbox/testing';
import { onTestFinished } from 'vitest';
import {
  alerts,
  rule,
  type AlertRule,
  type Alerts,
  type Finding,
  type RuleOptions,
  type Watch,
} from '../src/index.js';

export interface Received {
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** A server that takes messages, or does not. */
export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** What it answers from now on; 0 answers nothing at all. */
  readonly answer: (status: number, headers?: Readonly<Record<string, string>>) => void;
  /** How often it was asked, whatever it answered. */
  readonly calls: number;
}

export async function receiver(): Promise<Receiver> {
  const received: Received[] = [];
  let status = 200;
  let answerHeaders: Readonly<Record<string, string>> = {};
  let calls = 0;
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => void chunks.push(chunk));
    req.on('end', () => {
      calls += 1;
      if (status === 0) return;
      if (status < 300) received.push({ body: Buffer.concat(chunks).toString(), headers: req.headers });
      res.writeHead(status, answerHeaders).end('what nobody reads');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer(next, headers = {}) {
      status = next;
      answerHeaders = headers;
    },
    get calls() {
      return calls;
    },
  };
}

/** A rule that does as the test says. */
export interface Lever {
  readonly rule: AlertRule;
  readonly holds: (subject: string, finding?: Partial<Finding>) => void;
  readonly gone: (subject: string) => void;
  readonly happened: (subject: string, finding?: Partial<Finding>) => void;
}

export function lever(options: Partial<RuleOptions> = {}): Lever {
  // Of each `alerts()` that uses it.
  const watches: Watch[] = [];
  const findingOf = (subject: string, finding: Partial<Finding>): Finding => ({
    title: `${subject} is broken`,
    ...finding,
  });
  return {
    rule: rule({
      name: 'lever',
      ...options,
      watch(watch) {
        watches.push(watch);
        return () => void watches.splice(watches.indexOf(watch), 1);
      },
    }),
    holds(subject, finding = {}) {
      for (const watch of watches) watch.holds(subject, findingOf(subject, finding));
    },
    gone(subject) {
      for (const watch of watches) watch.gone(subject);
    },
    happened(subject, finding = {}) {
      for (const watch of watches) watch.happened(subject, findingOf(subject, finding));
    },
  };
}

export interface Watched {
  readonly alerts: Alerts;
  readonly clock: TestClock;
  /** Lets so much time pass, with a turn every five seconds, or as often as it says. */
  readonly pass: (ms: number, stepMs?: number) => Promise<void>;
}

/** Alerts on a clock of the test's own; no turn is taken but by `pass`. */
export function watched(
  options: Partial<Parameters<typeof alerts>[0]> & Pick<Parameters<typeof alerts>[0], 'channels'>,
  clock: TestClock = testClock(Date.UTC(2026, 0, 31, 12)),
): Watched {
  const made = alerts({
    service: 'search',
    environment: 'test',
    everyMs: 3_600_000,
    leaseMs: 7_300_000,
    now: clock.now,
    ...options,
  });
  onTestFinished(() => made.close());
  return {
    alerts: made,
    clock,
    async pass(ms, stepMs = 5_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(left, stepMs));
        await made.look();
      }
    },
  };
}

/** What the webhook's receiver was told, one line an alert: `open a`, `over a`. */
export function told({ received }: Receiver): string[] {
  return received.flatMap(({ body }) => {
    const { alerts } = JSON.parse(body) as { alerts: { kind: string; subject: string }[] };
    return alerts.map(({ kind, subject }) => `${kind} ${subject}`);
  });
}

export const SECRET = 'a secret of thirty-two bytes, or more';
export const ROUTING_KEY = 'R0123456789abcdef0123456789abcde';
