import { found, type Finding } from '../finding.js';
import type { Answer } from './ask.js';
import { FORGED_HOST, type Seen } from './look.js';

/** What is known of the site besides its answers. */
export interface Site {
  /** Whether visitors come by https. */
  readonly isHttps: boolean;
  /** Whether the answers themselves came by https. */
  readonly cameByHttps: boolean;
}

const whereOf = ({ question: { method = 'GET', path } }: Answer): string =>
  `${method} ${path.replace(/[\da-f]{8}-[\da-f-]{27}/, '…')}`;

/** What is wrong with what was seen. */
export function judge(seen: Seen, site: Site): Finding[] {
  return [
    ...judgeHeaders(seen, site),
    ...judgeHealth(seen),
    ...judgeHost(seen),
    ...seen.operators.filter(isOpen).map((answer) => found('SBX510', whereOf(answer))),
    ...seen.files.filter(isProgramFile).map((answer) => found('SBX511', whereOf(answer))),
    ...seen.broken.flatMap(judgeBroken),
    ...judgeCors(seen),
    ...judgeLimits(seen),
    ...seen.all.flatMap((answer) => judgeCookies(answer, site)),
  ];
}

function judgeHeaders({ plain, forwarded }: Seen, { cameByHttps }: Site): Finding[] {
  const findings: Finding[] = [];
  const where = whereOf(plain);
  const { headers } = plain;
  const powered = headers['x-powered-by'];
  if (powered !== undefined) findings.push(found('SBX505', where, `X-Powered-By: ${String(powered)}`));
  const isHtml = /text\/html/.test(headers['content-type'] ?? '');
  const isFramed =
    headers['x-frame-options'] === undefined &&
    !/frame-ancestors/.test(textOf(headers['content-security-policy']));
  const missing = [
    ...(headers['x-content-type-options'] === undefined ? ['X-Content-Type-Options'] : []),
    ...(isHtml && headers['content-security-policy'] === undefined ? ['Content-Security-Policy'] : []),
    ...(isHtml && isFramed ? ['frame-ancestors'] : []),
  ];
  if (missing.length > 0 && plain.status < 300)
    findings.push(found('SBX506', where, `missing: ${missing.join(', ')}`));
  const isSecure = headers['strict-transport-security'] ?? forwarded.headers['strict-transport-security'];
  if (cameByHttps && isSecure === undefined) findings.push(found('SBX517', where));
  return findings;
}

const textOf = (value: string | string[] | undefined): string => [value ?? ''].flat().join(', ');

const LEAKS: readonly [RegExp, string][] = [
  [/\b\w+:\/\/[^\s:@/"']+:[^\s@/"']+@/, 'an address with its password'],
  [/\bat .{1,200}\(?[\w./\\-]+:\d+:\d+\)?|node_modules\//, 'a stack trace'],
  [/\b(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b/, 'an address of the private network'],
  [/"(?:PATH|HOME|PWD|NODE_OPTIONS)"\s*:/, 'the environment'],
  [/"(?:password|secret|token|apiKey)"\s*:\s*"[^"*[]{4,}"/i, 'a secret'],
];

function judgeHealth({ health }: Seen): Finding[] {
  const there = health.filter(
    ({ status, headers }) => status !== 404 && !/text\/html/.test(headers['content-type'] ?? ''),
  );
  if (there.length === 0) return [found('SBX514', 'GET /livez, /readyz, /health, /healthz')];
  return there.flatMap((answer) =>
    LEAKS.filter(([pattern]) => pattern.test(answer.body)).map(([, what]) =>
      found('SBX513', whereOf(answer), what),
    ),
  );
}

function judgeHost({ plain, forwarded }: Seen): Finding[] {
  const believes = [textOf(forwarded.headers.location), forwarded.body].some((text) =>
    text.includes(FORGED_HOST),
  );
  return believes ? [found('SBX503', whereOf(plain), 'X-Forwarded-Host stands in the answer')] : [];
}

/** Figures or JSON; a page, such as one of sign-in, is for all. */
function isOpen({ status, headers, body }: Answer): boolean {
  if (status !== 200) return false;
  return /^# (?:TYPE|HELP) /m.test(body) || /json/.test(headers['content-type'] ?? '');
}

function isProgramFile({ question, status, headers, body }: Answer): boolean {
  if (status !== 200 || /text\/html/.test(headers['content-type'] ?? '')) return false;
  if (question.path === '/package.json') return /"(?:dependencies|scripts)"/.test(body);
  if (question.path === '/.git/config') return body.includes('[core]');
  return question.path === '/.env' ? /^\s*[A-Z_]+\s*=/m.test(body) : /^services:/m.test(body);
}

function judgeBroken(answer: Answer): Finding[] {
  const findings: Finding[] = [];
  if (answer.status === 500) findings.push(found('SBX527', whereOf(answer)));
  if (
    /\bat (?:[\w.<>[\] ]+ \()?(?:file:\/\/|node:|\/|[A-Z]:\\)[^\s)]+:\d+:\d+/.test(
      answer.body.replaceAll('&nbsp;', ' '),
    )
  ) {
    findings.push(found('SBX512', whereOf(answer)));
  }
  return findings;
}

function judgeCors({ cors }: Seen): Finding[] {
  return cors.flatMap((answer) => {
    const { headers, question } = answer;
    const origin = question.headers?.['origin'] ?? '';
    const allowed = headers['access-control-allow-origin'];
    if (allowed === undefined) return [];
    const isForged = origin === 'null' || origin.endsWith('.invalid');
    const findings: Finding[] = [];
    if (isForged && allowed === origin && headers['access-control-allow-credentials'] === 'true') {
      findings.push(found('SBX507', whereOf(answer), `Origin: ${origin}`));
    }
    const varies = /\*|\borigin\b/i.test(textOf(headers['vary']));
    if (allowed === origin && !varies) findings.push(found('SBX508', whereOf(answer)));
    return findings;
  });
}

function judgeLimits({ all }: Seen): Finding[] {
  const tells = ({ headers, status }: Answer): boolean =>
    status === 429 || Object.keys(headers).some((name) => /^(?:x-)?ratelimit/.test(name));
  return all.some(tells) ? [] : [found('SBX528', 'GET /, /api and others')];
}

const SESSION = /sess|sid$|^sid|token|auth|jwt|remember/i;

function judgeCookies(answer: Answer, { isHttps }: Site): Finding[] {
  const cookies = answer.headers['set-cookie'] ?? [];
  const findings = cookies.flatMap((cookie) => {
    const [pair = '', ...rest] = cookie.split(';');
    const name = pair.split('=', 1)[0]?.trim() ?? '';
    const attributes = new Map(
      rest.map((each) => {
        const [key = '', value = ''] = each.trim().split('=');
        return [key.toLowerCase(), value.toLowerCase()] as const;
      }),
    );
    const isSecure = attributes.has('secure');
    const isSession = SESSION.test(name) && !/csrf|xsrf/i.test(name);
    const faults = [
      ...(isSession && !attributes.has('httponly') ? ['without HttpOnly'] : []),
      ...(isHttps && !isSecure ? ['without Secure'] : []),
      ...(attributes.get('samesite') === 'none' && !isSecure ? ['SameSite=None without Secure'] : []),
      ...(isSession && attributes.get('samesite') === undefined ? ['without SameSite'] : []),
      ...(name.startsWith('__Host-') && (!isSecure || attributes.has('domain'))
        ? ['__Host- without Secure, or with Domain']
        : []),
      ...(name.startsWith('__Secure-') && !isSecure ? ['__Secure- without Secure'] : []),
    ];
    return faults.length === 0 ? [] : [found('SBX509', `Set-Cookie: ${name}`, faults.join(', '))];
  });
  const control = textOf(answer.headers['cache-control']);
  const isShared =
    /\bpublic\b|s-maxage=[1-9]|(?:^|\W)max-age=[1-9]/.test(control) && !/private|no-store/.test(control);
  if (cookies.length > 0 && isShared) findings.push(found('SBX515', whereOf(answer), control));
  return findings;
}
