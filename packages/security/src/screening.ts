import { signals } from '@signalbox/signals';
import type { RequestHandler } from 'express';
import { judgeRequest } from './screening/judge-parts.js';
import { resolveOptions, type ScreeningOptions } from './screening/options.js';
import { recorder, type ScreeningReport } from './screening/report.js';
import { ScreenedError } from './screening/screened-error.js';

/** A middleware that also tells what it found. */
export interface Screening extends RequestHandler {
  /** Counts since the start, and the latest findings without anything that was sent. */
  report(): ScreeningReport;
}

/**
 * Looks for attacks in a request: SQL injection, cross-site scripting, ways out of a folder, injected header fields
 * and null bytes, shell commands, template expressions, prototype pollution, duplicate parameters, nesting and size.
 *
 * Every rule adds to a score; one strong finding or several weak ones refuse the request with a
 * {@link ScreenedError}, status 400, or in `report` are only counted. Time is in proportion to the length of the
 * input, whatever it is. Nothing is changed: an app that needs clean values validates or escapes them.
 *
 * Mount it behind the body parsers. It is a second line of defence, and it does not see what they did not parse.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * const screen = screening({ mode: 'report', fields: { query: { q: 'search', '*': 'text' } } });
 * app.use(express.json(), screen);
 * app.get('/admin/screening', (req, res) => res.json(screen.report()));
 */
export function screening(options: ScreeningOptions): Screening {
  const resolved = resolveOptions(options);
  const { mode } = resolved;
  const records = recorder(mode, resolved.maxSamples);
  const enforced = mode === 'enforce';

  const middleware: RequestHandler = function screeningMiddleware(req, res, next) {
    if (mode === 'off') return next();
    records.looked();
    const verdict = judgeRequest(req, resolved);
    if (verdict === undefined) return next();

    records.found(req, res, verdict);
    if (signals.securityFinding.hasSubscribers) {
      for (const rule of verdict.rules) signals.securityFinding.publish({ kind: 'screened', rule, enforced });
    }
    if (enforced) next(new ScreenedError(verdict.rules, verdict.part));
    else next();
  };
  return Object.assign(middleware, { report: () => records.report() });
}
