import { refuseUnknownOptions, requireFunction, requireInteger } from '@signalbox/options';
import type { Request, RequestHandler } from 'express';
import { signals } from '@signalbox/signals';
import { cspReportsIn, type CspReport } from './csp-report.js';

/** Options of {@link cspReports}. */
export interface CspReportsOptions {
  /** Gets every report that is taken, and is not waited for. What it throws or rejects with becomes a process warning. */
  onReport?: ((report: CspReport, req: Request) => unknown) | undefined;
  /**
   * Longer bodies are not read.
   * @default 65_536
   */
  maxBytes?: number | undefined;
  /**
   * Reports, and requests without any, taken in a minute in this process. Others are answered alike and dropped.
   * @default 600
   */
  maxPerMinute?: number | undefined;
}

const MINUTE_MS = 60_000;

/**
 * Takes what browsers report about the Content-Security-Policy, as `application/csp-report` and
 * `application/reports+json`. Each report is the signal `securityFinding` of kind `csp_report`.
 *
 * The answer is 204 whatever comes: nobody reads it, and whoever sends nonsense learns nothing. Mount it before
 * `csrf()`, for browsers send no token with a report.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use(securityHeaders({ reportTo: '/csp-reports' }));
 * app.post('/csp-reports', cspReports());
 */
export function cspReports(options: CspReportsOptions = {}): RequestHandler {
  const { onReport, maxBytes, maxPerMinute } = resolveOptions(options);
  let minute = 0;
  let taken = 0;

  const takes = (): boolean => {
    const now = Math.floor(performance.now() / MINUTE_MS);
    if (now !== minute) {
      minute = now;
      taken = 0;
    }
    taken += 1;
    return taken <= maxPerMinute;
  };

  return async function cspReportsHandler(req, res) {
    // Also what turns out to be nonsense was read.
    const reports = takes() ? cspReportsIn(await bodyOf(req, maxBytes)) : [];
    for (const [index, report] of reports.entries()) {
      if (index > 0 && !takes()) break;
      if (signals.securityFinding.hasSubscribers) {
        const { directive: rule, enforced } = report;
        signals.securityFinding.publish({ kind: 'csp_report', rule, enforced });
      }
      void tell(onReport, report, req);
    }
    res.status(204).end();
  };
}

function resolveOptions(options: CspReportsOptions): {
  onReport: CspReportsOptions['onReport'];
  maxBytes: number;
  maxPerMinute: number;
} {
  refuseUnknownOptions('cspReports', options, ['onReport', 'maxBytes', 'maxPerMinute']);
  const { onReport, maxBytes = 65_536, maxPerMinute = 600 } = options;
  if (onReport !== undefined) requireFunction('cspReports', 'onReport', onReport);
  requireInteger('cspReports', 'maxBytes', maxBytes, 1);
  requireInteger('cspReports', 'maxPerMinute', maxPerMinute, 1);
  return { onReport, maxBytes, maxPerMinute };
}

/** The body as a parser left it, or as it arrives; `undefined` where it is too long, cut off or no JSON. */
async function bodyOf(req: Request, maxBytes: number): Promise<unknown> {
  const parsed: unknown = req.body;
  if (typeof parsed === 'object' && parsed !== null && !Buffer.isBuffer(parsed)) return parsed;
  try {
    return JSON.parse(await textOf(req, parsed, maxBytes)) as unknown;
  } catch {
    return undefined;
  }
}

async function textOf(req: Request, parsed: unknown, maxBytes: number): Promise<string> {
  if (typeof parsed === 'string' || Buffer.isBuffer(parsed)) return parsed.toString();
  if (Number(req.headers['content-length']) > maxBytes) return '';

  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an iterator of its own, leaving early would destroy the connection before the answer.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function tell(onReport: CspReportsOptions['onReport'], report: CspReport, req: Request): Promise<void> {
  try {
    await onReport?.(report, req);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}
