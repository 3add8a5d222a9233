import { randomUUID } from 'node:crypto';
import { found, type Finding } from '../finding.js';
import { type Answer, type Ask, type Question } from './ask.js';

/** Nobody's host and addresses (RFC 2606, RFC 5737). */
export const FORGED_HOST = 'forged.invalid';
const STRANGER = '203.0.113.9';

const HEALTH = ['/health', '/livez', '/readyz', '/healthz', '/status'];
const FOR_OPERATORS = [
  '/health/detailed',
  '/metrics',
  '/metrics.json',
  '/admin',
  '/admin/overview',
  '/debug/vars',
];
const FILES = ['/.env', '/.git/config', '/package.json', '/docker-compose.yml'];

/** What was asked, by name, and what came back. */
export interface Seen {
  readonly plain: Answer;
  /** As if by way of a proxy that ends TLS, with a host that was forged. */
  readonly forwarded: Answer;
  readonly health: readonly Answer[];
  readonly operators: readonly Answer[];
  readonly files: readonly Answer[];
  readonly broken: readonly Answer[];
  readonly cors: readonly Answer[];
  readonly all: readonly Answer[];
}

/** Asks an app what strangers may ask. Nothing is written, no one is signed in. */
export async function look(ask: Ask, allowedOrigin: string | undefined): Promise<Seen> {
  const all: Answer[] = [];
  const one = async (question: Question): Promise<Answer> => {
    const answer = await ask(question);
    all.push(answer);
    return answer;
  };
  const each = async (questions: readonly Question[]): Promise<Answer[]> => {
    const answers: Answer[] = [];
    // One after the other: a doctor is no load test.
    for (const question of questions)
      answers.push(
        ...(await one(question).then(
          (answer) => [answer],
          () => [],
        )),
      );
    return answers;
  };
  const stranger = { 'x-forwarded-for': STRANGER };
  const as = (headers: Record<string, string>) => (path: string) => ({ path, headers });
  const nowhere = `/${randomUUID()}`;
  const origins = ['https://forged.invalid', 'null', ...(allowedOrigin === undefined ? [] : [allowedOrigin])];

  const plain = await one({ path: '/' });
  return {
    plain,
    forwarded: await one({
      path: '/',
      headers: { ...stranger, 'x-forwarded-proto': 'https', 'x-forwarded-host': FORGED_HOST },
    }),
    health: await each(HEALTH.map(as(stranger))),
    operators: await each(FOR_OPERATORS.map(as(stranger))),
    files: await each(FILES.map(as(stranger))),
    broken: await each([
      { path: nowhere },
      { path: '/%ff' },
      { path: nowhere, method: 'POST', body: '{"a":', headers: { 'content-type': 'application/json' } },
    ]),
    cors: await each(
      ['/', '/api', nowhere].flatMap((path) => origins.map((origin) => ({ path, headers: { origin } }))),
    ),
    all,
  };
}

/** Whether what is closed to strangers opens to who says to be this machine. */
export async function forgeLoopback(ask: Ask, { operators }: Seen): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { question, status } of operators) {
    if (status !== 401 && status !== 403) continue;
    // Behind another address, so that a proxy that is rightly trusted is not taken for the visitor.
    const headers = { 'x-forwarded-for': `127.0.0.1, ${STRANGER}` };
    const { status: forged } = await ask({ path: question.path, headers });
    if (forged === 200) findings.push(found('SBX504', `GET ${question.path}`));
  }
  return findings;
}

/** Whether each forged address has a limit of its own: the first of several, which only who trusts all believes. */
export async function forgeAddress(ask: Ask, { all }: Seen): Promise<Finding[]> {
  const limited = all.find((answer) => remaining(answer) !== undefined);
  if (limited === undefined) return [];
  const { path } = limited.question;
  const as = async (address: string): Promise<number> => {
    const chain = [address, ...Array.from({ length: 8 }, (_, hop) => `203.0.113.${hop + 10}`)].join(', ');
    return remaining(await ask({ path, headers: { 'x-forwarded-for': chain } })) ?? Number.NaN;
  };
  const first = await as('198.51.100.1');
  let spent = first;
  for (let count = 0; count < 4; count += 1) spent = await as('198.51.100.1');
  const other = await as('198.51.100.2');
  const again = await as('198.51.100.1');
  // A bucket that was refilled meanwhile would be full for both.
  const isBelieved = spent <= first - 3 && other >= first && again <= spent;
  return isBelieved ? [found('SBX502', `GET ${path}`, 'each forged address has a limit of its own')] : [];
}

function remaining({ headers }: Answer): number | undefined {
  const field = headers['ratelimit'] ?? headers['ratelimit-remaining'] ?? headers['x-ratelimit-remaining'];
  const text = String(field ?? '');
  const [, number] = /(?:^|[;,]\s*)(?:r|remaining)=(\d+)/.exec(text) ?? /^(\d+)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number);
}
