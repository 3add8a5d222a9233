import { facts } from '@signalbox/context';
import { ForbiddenError, MethodNotAllowedError } from '@signalbox/errors';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { answerLivez } from './livez.js';
import type { ProbeName } from './options.js';
import { answerReadyz } from './readyz.js';
import { detailedReport, healthReport, type Known, overallStatus, statusReport } from './reports.js';
import { sendJson } from './send-json.js';

/** The parts of a handle that change while it lives. */
export interface Liveness {
  /** Grows with every change of a status. */
  version(): number;
  isClosed(): boolean;
}

type Answer = (req: Request, res: Response, next: NextFunction) => void | Promise<void>;

interface Probe {
  readonly path: string;
  readonly answer: Answer;
}

const SLASH = '/'.charCodeAt(0);
const QUESTION_MARK = '?'.charCodeAt(0);

/** One middleware for all probes; a request for something else costs it two character comparisons. */
export function probesMiddleware(known: Known, liveness: Liveness): RequestHandler {
  const answers: Record<ProbeName, Answer> = {
    health: healthAnswer(known, liveness),
    detailed: detailedAnswer(known),
    livez: (_req, res) => answerLivez(res),
    readyz: (req, res) => answerReadyz(req, res, known, liveness.isClosed()),
    status: (_req, res) => sendJson(res, 200, JSON.stringify(statusReport(known, new Date()))),
  };
  const probes = [...known.options.paths].map(([name, path]): Probe => ({ path, answer: answers[name] }));
  const byLetter = byFirstLetter(probes);

  return function probesOfHealth(req, res, next) {
    // A request to a proxy names the whole URL (RFC 9112 section 3.2.2).
    const url = req.url.charCodeAt(0) === SLASH ? req.url : req.path;
    const candidates = byLetter[url.charCodeAt(1)];
    if (candidates === undefined) return next();
    for (const probe of candidates) {
      if (isUrlOf(probe.path, url)) return answer(probe, req, res, next);
    }
    next();
  };
}

function answer(probe: Probe, req: Request, res: Response, next: NextFunction): void | Promise<void> {
  const known = facts(req);
  known.silent = true;
  known.route = probe.path;
  res.setHeader('Cache-Control', 'no-store');
  if (req.method === 'GET' || req.method === 'HEAD') return probe.answer(req, res, next);
  next(new MethodNotAllowedError(['GET', 'HEAD']));
}

/** Whether the URL is the path, with or without a slash at its end and a query. */
function isUrlOf(path: string, url: string): boolean {
  if (!url.startsWith(path)) return false;
  let end = path.length;
  if (url.charCodeAt(end) === SLASH) end += 1;
  return url.length === end || url.charCodeAt(end) === QUESTION_MARK;
}

function byFirstLetter(probes: readonly Probe[]): readonly (readonly Probe[] | undefined)[] {
  const letters = probes.map(({ path }) => path.charCodeAt(1));
  return Array.from({ length: Math.max(0, ...letters) + 1 }, (_, letter) => {
    const found = probes.filter(({ path }) => path.charCodeAt(1) === letter);
    return found.length === 0 ? undefined : found;
  });
}

/** Only the timestamp differs from one answer to the next, so that the rest is rendered on change. */
function healthAnswer(known: Known, liveness: Liveness): Answer {
  let renderedVersion = -1;
  let status = 200;
  let before = '';
  let after = '';

  const render = (): void => {
    renderedVersion = liveness.version();
    status = overallStatus(known) === 'unhealthy' ? 503 : 200;
    const report = healthReport(known, new Date());
    const body = JSON.stringify(report);
    const timestamp = `"timestamp":"${report.timestamp}"`;
    const at = body.indexOf(timestamp) + '"timestamp":"'.length;
    before = body.slice(0, at);
    after = body.slice(at + report.timestamp.length);
  };

  return function answerHealth(_req, res) {
    if (renderedVersion !== liveness.version()) render();
    sendJson(res, status, before + new Date().toISOString() + after);
  };
}

function detailedAnswer(known: Known): Answer {
  const { mayReadDetails } = known.options;

  const conclude = (allowed: boolean, res: Response, next: NextFunction): void => {
    if (!allowed) return next(new ForbiddenError('The details are not for this address or account'));
    const report = detailedReport(known, new Date());
    sendJson(res, report.status === 'unhealthy' ? 503 : 200, JSON.stringify(report));
  };

  return function answerDetailed(req, res, next) {
    const verdict = mayReadDetails(req);
    if (typeof verdict === 'boolean') return conclude(verdict, res, next);
    return Promise.resolve(verdict).then((allowed) => conclude(allowed, res, next));
  };
}
