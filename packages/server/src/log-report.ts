import { type DrainReport, failedResources } from './drain-report.js';
import { type ServerLog, stderrLog } from './log.js';

/** One line about a drain: `info` when nothing was lost, else `warn` with what was. */
export function logReport(log: ServerLog, report: DrainReport): void {
  const { abandonedRequests, durationMs } = report;
  try {
    if (report.clean) {
      log.info({ report }, `drained in ${durationMs} ms`);
      return;
    }
    const failed = failedResources(report);
    const what = [
      ...(abandonedRequests > 0
        ? [`${abandonedRequests} unanswered ${abandonedRequests === 1 ? 'request' : 'requests'}`]
        : []),
      ...failed.map((name) => `the resource ${name}`),
    ];
    const err = report.resources.find(({ error }) => error !== undefined)?.error;
    log.warn({ report, err }, `drained in ${durationMs} ms, and had to abandon ${what.join(', ')}`);
  } catch (err) {
    // A logger that fails must not stop the shutdown.
    stderrLog.error({ err }, 'the report of a drain could not be logged');
  }
}
