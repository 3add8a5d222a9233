import { type Finding, inOrder, type Severity } from './finding.js';

/** What a doctor found. */
export interface DoctorReport {
  readonly target: string;
  /** Whether there is no error; warnings and notes may be. */
  readonly ok: boolean;
  /** The worst first. */
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<Severity, number>>;
  /** What was looked at. */
  readonly examined: readonly string[];
  /** What was not, and what it would take. */
  readonly skipped: readonly string[];
}

export function makeReport(
  target: string,
  findings: readonly Finding[],
  examined: readonly string[],
  skipped: readonly string[],
): DoctorReport {
  const ordered = inOrder(findings);
  const counts = { error: 0, warning: 0, note: 0 };
  for (const { severity } of ordered) counts[severity] += 1;
  return { target, ok: counts.error === 0, findings: ordered, counts, examined, skipped };
}
