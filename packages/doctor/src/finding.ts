import { CATALOGUE, type Code } from './catalogue.js';

export type { Code } from './catalogue.js';

/**
 * How bad it is. An `error` breaks or opens the app in production, a `warning` will in some situation, and a
 * `note` is for the operator to decide.
 */
export type Severity = 'error' | 'warning' | 'note';

/** What a code stands for. */
export interface Diagnosis {
  readonly severity: Severity;
  /** What is wrong, as a sentence without its full stop. */
  readonly title: string;
  /** What comes of it. */
  readonly reason: string;
  /** What to do. */
  readonly fix: string;
}

/** One thing that is wrong, at one place. Holds no secret. */
export interface Finding extends Diagnosis {
  readonly code: Code;
  /** Where: `compose.yaml: app`, `Dockerfile:12`, `GET /health`, the name of a variable. */
  readonly where: string;
  /** What was seen there, such as the figures that contradict each other. */
  readonly detail?: string | undefined;
}

/** The finding of that code, at that place. */
export function found(code: Code, where: string, detail?: string): Finding {
  return { code, ...CATALOGUE[code], where, ...(detail !== undefined && { detail }) };
}

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/** The worst first, then by code and place; what was found twice stands once. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const unique = new Map(findings.map((each) => [`${each.code} ${each.where} ${each.detail ?? ''}`, each]));
  return [...unique.values()].toSorted(
    (a, b) =>
      RANK[a.severity] - RANK[b.severity] || a.code.localeCompare(b.code) || a.where.localeCompare(b.where),
  );
}
