/** What a browser's policy refused, or would have. */
export interface CspReport {
  /** The directive, such as `script-src-elem`, or `unknown`. */
  directive: string;
  /** Whether the browser refused it; `false` where the policy only reports. */
  enforced: boolean;
  /** The page, without its query. */
  page: string | undefined;
  /** What was refused: a URL without its query, or a word such as `inline`, `eval`. */
  blocked: string | undefined;
  /** Where in the page's code it was asked for. */
  source: { file: string | undefined; line: number | undefined; column: number | undefined };
  /** The first 40 characters of an inline script, where the policy says `'report-sample'`. */
  sample: string | undefined;
}

/** Anybody can send a report: words that are none of these would be labels and log lines of somebody else's. */
const DIRECTIVES: ReadonlySet<string> = new Set([
  'base-uri',
  'child-src',
  'connect-src',
  'default-src',
  'fenced-frame-src',
  'font-src',
  'form-action',
  'frame-ancestors',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'object-src',
  'prefetch-src',
  'require-trusted-types-for',
  'sandbox',
  'script-src',
  'script-src-attr',
  'script-src-elem',
  'style-src',
  'style-src-attr',
  'style-src-elem',
  'trusted-types',
  'upgrade-insecure-requests',
  'worker-src',
]);

/** As many as one request may bring. Browsers gather them for a minute at most. */
const MAX_REPORTS = 20;

type Fields = Readonly<Record<string, unknown>>;

/** What the two kinds of report call the same things. */
const REPORT_URI = {
  directive: 'effective-directive',
  oldDirective: 'violated-directive',
  page: 'document-uri',
  blocked: 'blocked-uri',
  file: 'source-file',
  line: 'line-number',
  column: 'column-number',
  sample: 'script-sample',
};

type FieldNames = typeof REPORT_URI;

const REPORTING_API: FieldNames = {
  directive: 'effectiveDirective',
  // It has had one name there from the beginning.
  oldDirective: 'effectiveDirective',
  page: 'documentURL',
  blocked: 'blockedURL',
  file: 'sourceFile',
  line: 'lineNumber',
  column: 'columnNumber',
  sample: 'sample',
};

/** The reports in a body of either kind (CSP Level 3 section 5.3, Reporting API section 2.4). None in nonsense. */
export function cspReportsIn(body: unknown): CspReport[] {
  if (Array.isArray(body)) {
    const reports = (body as readonly unknown[])
      .slice(0, MAX_REPORTS)
      .filter((each): each is Fields => isFields(each) && each['type'] === 'csp-violation');
    return reports.flatMap((each) => (isFields(each['body']) ? [reportOf(each['body'], REPORTING_API)] : []));
  }
  if (!isFields(body)) return [];
  const report = body['csp-report'];
  return isFields(report) ? [reportOf(report, REPORT_URI)] : [];
}

function reportOf(report: Fields, names: FieldNames): CspReport {
  return {
    directive: directiveOf(report[names.directive] ?? report[names.oldDirective]),
    enforced: report['disposition'] !== 'report',
    page: withoutQuery(report[names.page]),
    blocked: withoutQuery(report[names.blocked]),
    source: {
      file: withoutQuery(report[names.file]),
      line: numberOf(report[names.line]),
      column: numberOf(report[names.column]),
    },
    sample: textOf(report[names.sample], 40),
  };
}

function directiveOf(value: unknown): string {
  // Older browsers send the directive with its sources.
  const name = typeof value === 'string' ? (value.slice(0, 100).split(' ', 1)[0] ?? '') : '';
  return DIRECTIVES.has(name) ? name : 'unknown';
}

/** Queries hold what users searched for, and tokens. */
function withoutQuery(value: unknown): string | undefined {
  return textOf(value, 500)?.split(/[?#]/, 1)[0];
}

function textOf(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, maxLength).replaceAll(/\p{Cc}/gu, ' ');
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
