import { readFileSync } from 'node:fs';
import { slack } from '@signalbox/alerts';
import { keyRing, pemKeys } from '@signalbox/auth';
import {
  cidrs,
  configOrExit,
  duration,
  flag,
  list,
  origins,
  port,
  profile,
  rate,
  secret,
  secrets,
  settingsOf,
  text,
  url,
  type Config,
  type Rate,
} from '@signalbox/config';
import { cors, trustProxy } from '@signalbox/security';
import { isManaged } from '@signalbox/server';
import { z } from 'zod';
import { weaknessOf } from './accounts/weakness.js';
import { Email } from './modules/auth/fields.js';

const WebAddress = url({ protocols: ['http', 'https'] });

/** As browsers write it: links begin with it, and tokens are compared by it. `undefined` where it is not one alone. */
function originOf(address: string): string | undefined {
  try {
    const { href, origin } = new URL(address);
    return href === `${origin}/` ? origin : undefined;
  } catch {
    // Of several hosts, such as those of a database.
    return undefined;
  }
}

/** What a package says of a value; `undefined` where it takes it. */
function complaint(take: () => unknown): string | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^\w+: "\w+" /, '') : String(error);
  }
}

const REDIS_PROTOCOLS = [
  'redis',
  'rediss',
  'redis+sentinel',
  'rediss+sentinel',
  'redis+cluster',
  'rediss+cluster',
  'unix',
];

/** Everything that can be set, by the name of its environment variable. */
export const SETTINGS = z
  .object({
    HOST: text()
      // Beside a port, IPv6 is written in brackets, and may come so from whoever had both in one.
      .transform((host) => host.replace(/^\[(.+)\]$/, '$1'))
      .default('127.0.0.1')
      .describe('Address to listen on'),
    PORT: port().default(8889).describe('Port to listen on; 0 picks a free one'),
    SOCKET: text().optional().describe('Unix socket to listen on, instead of a port'),
    NODE_ENV: profile().describe('development, test or production'),
    PUBLIC_URL: url({ protocols: ['http', 'https'] })
      .refine(
        (address) => originOf(address) !== undefined,
        'must be an origin, such as https://search.example.org, with nothing behind it',
      )
      .transform(originOf)
      .optional()
      .describe('The origin that visitors use; by default http://HOST:PORT'),
    SECRET_KEYS: secrets({ generate: true }).describe('Secrets, newest first; each use derives its own key'),
    JWT_PRIVATE_KEYS: list()
      .superRefine((paths, context) => {
        const message = complaint(
          () => paths.length > 0 && keyRing(pemKeys(paths.map((path) => readFileSync(path)))),
        );
        if (message !== undefined)
          context.addIssue({ code: 'custom', message: `must be PEM files: ${message}` });
      })
      .default([])
      .describe('PEM files of private keys, newest first: RS, ES or EdDSA instead of HS256')
      // Names of files, and nothing secret.
      .meta({ secret: false }),
    REDIS_URL: url({ protocols: REDIS_PROTOCOLS })
      .optional()
      .describe('Redis for what processes share; none: each keeps its own in memory'),
    CACHE_REDIS_URL: url({ protocols: REDIS_PROTOCOLS })
      .optional()
      .describe('Redis for what searches found, which may throw away what is used least; none: REDIS_URL'),
    REDIS_DEADLINE: duration()
      .refine((ms) => ms >= 1 && ms <= 60_000, 'must be from 1ms to 60s')
      .default(100)
      .describe('How long an answer of Redis may take, after which it counts as gone'),
    DATABASE_URL: url({ protocols: ['postgres', 'postgresql'] })
      .optional()
      .describe('Postgres for the accounts; none: an embedded one, which forgets them with the process'),
    DATABASE_POOL: z
      .number()
      .int()
      .min(2)
      .max(1_000)
      .default(20)
      .describe('Connections to Postgres that each process may have open'),
    SEARXNG_URLS: list()
      .refine(
        (urls) => urls.every((each) => WebAddress.safeParse(each).success),
        'must be URLs that begin with http:// or https://',
      )
      .default([])
      .describe('SearXNG instances in order of preference; none: the embedded engine'),
    EMBEDDED_FALLBACK: flag().default(true).describe('Whether the embedded engine is the last of the chain'),
    CORS_ORIGINS: origins().default([]).describe('Origins of other sites that may use the API'),
    TRUST_PROXY: text()
      .superRefine((value, context) => {
        const message = complaint(() => trustProxy(value));
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .default('off')
      .describe('Proxies in front: off, a number of hops, addresses and ranges, or loopback'),
    KEEP_ALIVE: duration()
      // What a timer of Node's takes.
      .refine((ms) => ms >= 1 && ms < 2 ** 31, 'must be from 1ms to 24d')
      .optional()
      .describe(
        'How long idle connections are kept: longer than what is in front does; 5s, with TRUST_PROXY 75s',
      ),
    ADMIN_ALLOW: cidrs()
      .default(['127.0.0.0/8', '::1'])
      .describe('Who may read /health/detailed, /metrics and /admin'),
    ADMIN_EMAIL: text()
      // Anything else nobody could sign in with.
      .transform((email) => email.trim().toLowerCase())
      .refine((email) => Email.safeParse(email).success, 'must be an e-mail address, as at the sign-in')
      .optional()
      .describe('Address of the admin account, which is made at the start if there is none'),
    ADMIN_PASSWORD: secret({ minBytes: 12 })
      .optional()
      .describe('Its password; never changes one that is there'),
    METRICS_TOKEN: secrets()
      .refine((tokens) => tokens.every((token) => !/\s/.test(token)), 'must have no blanks in it')
      .optional()
      .describe('Bearer tokens that also open /metrics, newest first'),
    RATE_API: rate()
      .default({ limit: 10, windowMs: 1_000, burst: 20 })
      .describe('How often one address may call the API'),
    RATE_SEARCH: rate()
      .optional()
      .describe('How often one address may search: 5/s burst 10; 5/1m in the profile test'),
    RATE_LOGIN: rate()
      .default({ limit: 5, windowMs: 15 * 60_000 })
      .describe('How many wrong passwords an account, and an address, may be tried with'),
    CACHE_TTL: duration()
      .default(300_000)
      .describe('How long what a search found is given to whoever asks the same; 0: not at all'),
    SMTP_URL: url({ protocols: ['smtp', 'smtps'] })
      .optional()
      .describe('Where letters are handed in; none: they are logged in development, and not sent'),
    MAIL_FROM: text().default('Signalbox <noreply@localhost>').describe('Who letters come from'),
    ALERT_SLACK_URL: secret({ minBytes: 12 })
      .superRefine((address, context) => {
        const message = complaint(() => slack({ url: address }));
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .optional()
      .describe('Incoming webhook of Slack that is told of what is wrong'),
    ALERT_SMTP_URL: url({ protocols: ['smtp', 'smtps'] })
      .optional()
      .describe('Where mails about what is wrong are handed in; none: at SMTP_URL'),
    ALERT_EMAIL_TO: list().default([]).describe('Who gets mails about what is wrong'),
    ALERT_PAGERDUTY_KEY: secret({ minBytes: 12 })
      .optional()
      .describe('Routing key of a PagerDuty service that is told of what is critical'),
    ALERT_WEBHOOK_URL: url({ protocols: ['http', 'https'] })
      .optional()
      .describe('Where what is wrong is posted as signed JSON'),
    ALERT_WEBHOOK_SECRET: secret()
      .optional()
      .describe('Signs what is posted there; none: derived from SECRET_KEYS'),
    BACKUP_SUCCESS_FILE: text()
      .optional()
      .describe('File whose time says when all was last backed up; alerts tell where it is 26 hours old'),
    SCREENING: z
      .enum(['off', 'report', 'enforce'])
      .default('report')
      .describe('What happens to requests that look like an attack'),
    WORKERS: z
      .number()
      .int()
      .min(1)
      .max(999)
      .default(1)
      .describe('Processes that serve; more than 1 start the process manager, and need Redis and Postgres'),
    LOG_LEVEL: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('How much is logged'),
    LOG_FILE: text().optional().describe('File to log to, instead of stdout; rotated at 10 MB'),
    PRIVACY: flag().default(true).describe('No query, address or user agent in logs and metrics'),
  })
  .refine(
    ({ ADMIN_EMAIL, ADMIN_PASSWORD }) => (ADMIN_EMAIL === undefined) === (ADMIN_PASSWORD === undefined),
    {
      path: ['ADMIN_PASSWORD'],
      message: 'must be set together with ADMIN_EMAIL',
    },
  )
  .superRefine(({ ADMIN_EMAIL: email, ADMIN_PASSWORD: password }, context) => {
    if (email === undefined || password === undefined) return;
    const weakness = weaknessOf(password, email);
    if (weakness === undefined) return;
    const message = `would be refused: ${weakness.message}`;
    context.addIssue({ code: 'custom', path: ['ADMIN_PASSWORD'], message });
  })
  .refine(
    ({ ALERT_EMAIL_TO, ALERT_SMTP_URL, SMTP_URL }) =>
      ALERT_EMAIL_TO.length > 0 ? (ALERT_SMTP_URL ?? SMTP_URL) !== undefined : ALERT_SMTP_URL === undefined,
    { path: ['ALERT_EMAIL_TO'], message: 'must be set together with ALERT_SMTP_URL or SMTP_URL' },
  )
  .refine(({ SEARXNG_URLS, EMBEDDED_FALLBACK }) => EMBEDDED_FALLBACK || SEARXNG_URLS.length > 0, {
    path: ['EMBEDDED_FALLBACK'],
    message: 'must be on where SEARXNG_URLS names no instance: there would be nothing to search',
  })
  .superRefine(({ WORKERS, REDIS_URL, DATABASE_URL }, context) => {
    if (WORKERS === 1 || (REDIS_URL !== undefined && DATABASE_URL !== undefined)) return;
    context.addIssue({
      code: 'custom',
      path: ['WORKERS'],
      message:
        'must be 1 where REDIS_URL or DATABASE_URL is not set: each process would have limits, sessions and accounts of its own',
    });
  })
  .superRefine(({ CORS_ORIGINS, NODE_ENV }, context) => {
    const message = complaint(() => cors({ origins: CORS_ORIGINS, production: NODE_ENV === 'production' }));
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['CORS_ORIGINS'], message });
  });

export type Settings = Config<typeof SETTINGS>;

export type ZoneName = 'api' | 'search' | 'login' | 'accounts' | 'guests' | 'letters' | 'guest' | 'key';

/** The zones of the limits. In the profile `test` the sixth search of a minute is refused. */
export function rates({ RATE_API, RATE_SEARCH, RATE_LOGIN, NODE_ENV }: Settings): Record<ZoneName, Rate> {
  const isTest = NODE_ENV === 'test';
  const search = isTest ? { limit: 5, windowMs: 60_000 } : { limit: 5, windowMs: 1_000, burst: 10 };
  return {
    api: RATE_API,
    search: RATE_SEARCH ?? search,
    login: RATE_LOGIN,
    accounts: { limit: isTest ? 10_000 : 10, windowMs: 3_600_000 },
    // Each leaves something in Redis for days, and has small limits of its own.
    guests: { limit: isTest ? 100_000 : 100, windowMs: 3_600_000 },
    letters: { limit: 3, windowMs: 3_600_000 },
    key: { limit: 5, windowMs: 1_000, burst: isTest ? 100_000 : 20 },
    guest: { limit: 1, windowMs: 1_000, burst: isTest ? 100_000 : 10 },
  };
}

/** The settings of this process; a wrong one ends it with every problem listed. */
export function readSettings(): Settings {
  const settings = configOrExit(SETTINGS, {
    argv: process.argv.slice(2),
    env: isManaged ? asManaged(process.env) : process.env,
    files: [{ path: '.env', optional: true }],
    warn: (message) => process.stderr.write(`${message}\n`),
  });
  if (!isManaged || settings.WORKERS === 1 || !isGenerated(settings, 'SECRET_KEYS')) return settings;
  process.stderr.write(
    'SECRET_KEYS must be set where WORKERS is above 1: each process would make its own, and refuse what others signed\n',
  );
  return process.exit(78);
}

/** Whoever started the workers knows how many there are: `signalbox start --workers` looks at no WORKERS. */
function asManaged({ SIGNALBOX_WORKERS, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return SIGNALBOX_WORKERS === undefined
    ? env
    : { ...env, WORKERS: SIGNALBOX_WORKERS, WORKERS_FILE: undefined };
}

function isGenerated(settings: Settings, setting: keyof Settings): boolean {
  return settingsOf(settings).some(({ name, source }) => name === setting && source === 'generated');
}
