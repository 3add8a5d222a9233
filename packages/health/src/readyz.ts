import type { Socket } from 'node:net';
import type { Request, Response } from 'express';
import type { Known } from './reports.js';
import { sendJson } from './send-json.js';

const READY = '{"status":"ready"}';
const STARTING = '{"status":"starting"}';
const DRAINING = '{"status":"draining"}';

/** The server that a connection came in by; Node sets the field, its types do not know it. */
type ServedSocket = Socket & { readonly server?: object | undefined };

/** Readiness: 503 while starting or draining and while a critical check fails. */
export function answerReadyz(req: Request, res: Response, known: Known, isClosed: boolean): void {
  const server = known.surroundings.serverState((req.socket as ServedSocket).server);
  if (isClosed || server === 'draining' || server === 'closed') return sendJson(res, 503, DRAINING);

  const failing: string[] = [];
  let isStarting = server === 'starting';
  for (const { check, status } of known.checks) {
    if (!check.critical) continue;
    if (status === 'unhealthy') failing.push(check.name);
    isStarting ||= status === 'unknown';
  }
  if (failing.length > 0) return sendJson(res, 503, JSON.stringify({ status: 'not_ready', failing }));
  if (isStarting) return sendJson(res, 503, STARTING);
  sendJson(res, 200, READY);
}
