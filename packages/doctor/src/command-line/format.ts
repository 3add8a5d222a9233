import { CATALOGUE } from '../catalogue.js';
import type { Code, Diagnosis, Finding, Severity } from '../finding.js';
import type { DoctorReport } from '../report.js';

const WIDTH = 100;
const COLOURS: Readonly<Record<Severity, string>> = { error: '31', warning: '33', note: '36' };

/** A report for people. */
export function formatReport(report: DoctorReport, hasColours: boolean): string {
  const paint = (colour: string, text: string): string =>
    hasColours ? `\u001B[${colour}m${text}\u001B[0m` : text;
  const blocks = report.findings.map((finding) => formatFinding(finding, paint));
  const { error, warning, note } = report.counts;
  const sum = [count(error, 'error'), count(warning, 'warning'), count(note, 'note')].join(', ');
  const verdict = report.findings.length === 0 ? paint('32', 'Nothing was found.') : `${sum}.`;
  const lines = [
    verdict,
    wrapped('Examined: ', `${report.examined.join(', ') || 'nothing'}.`),
    ...report.skipped.map((each) => wrapped('Not examined: ', `${each}.`)),
  ];
  return `${[...blocks, lines.join('\n')].join('\n\n')}\n`;
}

function formatFinding(finding: Finding, paint: (colour: string, text: string) => string): string {
  const { code, severity, title, where, detail, reason, fix } = finding;
  return [
    `${paint(COLOURS[severity], severity.padEnd(7))} ${code}  ${title}`,
    wrapped('  where  ', where),
    ...(detail === undefined ? [] : [wrapped('  found  ', detail)]),
    wrapped('  why    ', reason),
    wrapped('  fix    ', fix),
  ].join('\n');
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** Lines no longer than a terminal is wide, below each other. */
function wrapped(start: string, text: string): string {
  const lines: string[] = [];
  let line = start;
  for (const word of text.split(/\s+/)) {
    const isFirst = line.trim() === '' || line === start;
    if (!isFirst && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${' '.repeat(start.length)}${word}`;
    } else {
      line += isFirst ? word : ` ${word}`;
    }
  }
  return [...lines, line].join('\n');
}

/** One code at length, for `--explain`. */
export function formatCode(code: Code, { severity, title, reason, fix }: Diagnosis): string {
  return `${code}  ${title} (${severity})\n${wrapped('  why    ', reason)}\n${wrapped('  fix    ', fix)}\n`;
}

/** Every code, for `--codes`. */
export function formatCodes(): string {
  const rows = Object.entries(CATALOGUE).map(
    ([code, { severity, title }]) => `${code}  ${severity.padEnd(7)}  ${title}`,
  );
  return `${rows.join('\n')}\n`;
}
