import type { AlertMessage, AlertNotice } from './channel.js';

/** `[CRITICAL] search (production): Redis "main" does not answer`, or how many of what. */
export function headline({ service, environment, notices }: AlertMessage): string {
  const [first] = notices;
  const place = `${service} (${environment})`;
  if (first === undefined) return place;
  if (notices.length === 1) return `[${labelOf(first)}] ${place}: ${first.title}`;
  const over = notices.filter(({ kind }) => kind === 'over').length;
  const present = notices.filter(({ kind }) => kind !== 'over');
  const worst = present.find(({ severity }) => severity === 'critical') ?? present[0] ?? first;
  const counts = [
    present.length > 0 ? `${present.length} ${present.length === 1 ? 'problem' : 'problems'}` : '',
    over > 0 ? `${over} over` : '',
  ];
  return `[${labelOf(worst)}] ${place}: ${counts.filter((words) => words !== '').join(', ')}`;
}

/** What is to be said of one incident, in lines without the title. */
export function linesOf(notice: AlertNotice): string[] {
  const { kind, openedAt, overAt, details, returns, also, runbook } = notice;
  const lines = [...details];
  if (overAt !== undefined) lines.push(`from ${timeOf(openedAt)} to ${timeOf(overAt)}`);
  else if (kind !== 'test')
    lines.push(`since ${timeOf(openedAt)}${kind === 'repeat' ? ', still there' : ''}`);
  if (returns > 0) lines.push(`went and came back ${returns === 1 ? 'once' : `${returns} times`}`);
  if (also.length > 0) lines.push(`with it: ${also.join('; ')}`);
  if (runbook !== undefined && kind !== 'over') lines.push(`runbook: ${runbook}`);
  return lines;
}

/** What is to be said of the channel itself. */
export function remarksOf({ dropped, unreachableSince }: AlertMessage): string[] {
  const remarks = [];
  if (unreachableSince !== undefined) {
    remarks.push(
      `This channel could not be reached since ${timeOf(unreachableSince)}; what waited comes now.`,
    );
  }
  if (dropped > 0) remarks.push(`${dropped} ${dropped === 1 ? 'notice was' : 'notices were'} dropped.`);
  return remarks;
}

/** All of it as plain text, the headline apart. */
export function plainText(message: AlertMessage): string {
  const parts = message.notices.map((notice) =>
    [`${labelOf(notice)} ${notice.title}`, ...linesOf(notice).map((line) => `  ${line}`)].join('\n'),
  );
  return [...parts, ...remarksOf(message)].join('\n\n');
}

export function labelOf({ kind, severity }: AlertNotice): string {
  if (kind === 'test') return 'TEST';
  return kind === 'over' ? 'OVER' : severity.toUpperCase();
}

/** `2026-11-22 10:05:00 UTC` */
function timeOf(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
