import { ANSWER_DEADLINE_MS, DRAIN_TOTAL_MS, READINESS_DELAY_MS } from '../../src/deadlines.js';
import { SETTINGS } from '../../src/settings.js';
import { VERSION } from '../../src/version.js';

const seconds = (ms: number): number => Math.ceil(ms / 1_000);

/** Every figure that stands in more than one deployment file, taken from the app where the app knows it. */
export const APP = {
  name: 'signalbox-orchestrator',
  version: VERSION,
  image: 'registry.example.org/signalbox-orchestrator',
  port: SETTINGS.shape.PORT.parse(undefined),
  probes: { live: '/livez', ready: '/readyz', metrics: '/metrics' },
  /** Who the image runs as; it owns nothing, and the file system is read-only. */
  user: 10_001,
  answerSeconds: seconds(ANSWER_DEADLINE_MS),
  drainSeconds: seconds(DRAIN_TOTAL_MS),
  readinessDelaySeconds: seconds(READINESS_DELAY_MS),
  /** How long `serve` keeps an idle connection behind a proxy, which must close it first. */
  keepAliveSeconds: 75,
} as const;

/** How long Kubernetes and load balancers need to spread the word that an address is gone. */
export const PRE_STOP_SECONDS = 5;

/** What is left over when the drain has used its whole budget: a report, and the end of the process. */
const MARGIN_SECONDS = 5;

/** How long whoever stops the process waits before it kills it. */
export const STOP_SECONDS = APP.drainSeconds + MARGIN_SECONDS;

/** The same where it sleeps first, which Kubernetes counts too. */
export const GRACE_SECONDS = PRE_STOP_SECONDS + STOP_SECONDS;

/** How many there are, and when there are more. */
export const SCALE = {
  replicas: 3,
  min: 3,
  max: 10,
  cpuPercent: 70,
  /** Requests a second that one instance is given before there is another. */
  requestsPerSecond: 100,
} as const;

/** What one instance gets. Beside the heap, two sign-ins at once take 128 MiB each for scrypt; the rest is V8's own, and buffers. */
export const RESOURCES = {
  cpuRequest: '500m',
  memoryRequest: '512Mi',
  memoryLimit: '1024Mi',
  heapMegabytes: 576,
} as const;

/** What is asked of the service. */
export const SLO = { availability: 0.999, fast: 0.99, fastSeconds: 1, days: 30 } as const;

/** The name of the app where it is scraped, and how often. */
export const SCRAPE = { job: 'orchestrator', interval: '15s' } as const;

/** How old the last backup may be: a day, and two hours to make it. */
export const BACKUP_MAX_AGE_HOURS = 26;

/** Connections that Postgres grants by default, less those that it keeps for its superuser. */
const CONNECTIONS = 97;

/** What the app is told that is no secret. What is not here keeps its default. */
export const ENVIRONMENT = {
  NODE_ENV: 'production',
  HOST: '0.0.0.0',
  PORT: String(APP.port),
  PUBLIC_URL: 'https://search.example.org',
  // The addresses of the proxy in front: without it all visitors share one address, and one limit.
  TRUST_PROXY: '10.0.0.0/8',
  LOG_LEVEL: 'info',
  // Instances are added one by one; a process manager in each would hide from the scheduler what they need.
  WORKERS: '1',
  // All there may be together, and one more while they are replaced, get along with Postgres as it is installed.
  DATABASE_POOL: String(Math.floor(CONNECTIONS / (SCALE.max + 1))),
  NODE_OPTIONS: `--max-old-space-size=${RESOURCES.heapMegabytes}`,
} as const satisfies Environment;

/** Settings that are secrets. Each of these placeholders is one that the app refuses to start with. */
export const SECRETS = {
  SECRET_KEYS: 'replace-me',
  METRICS_TOKEN: 'replace-me',
  DATABASE_URL: 'replace-me',
  REDIS_URL: 'replace-me',
} as const satisfies Environment;

/** Names that the app knows, and Node's own. */
type Environment = Partial<Record<keyof typeof SETTINGS.shape | 'NODE_OPTIONS', string>>;

export const SECRET_NAMES: readonly (keyof typeof SECRETS)[] = [
  'SECRET_KEYS',
  'METRICS_TOKEN',
  'DATABASE_URL',
  'REDIS_URL',
];

/** Where an alert leads; those that the app sends by itself lead there, too. */
export const RUNBOOKS = `${ENVIRONMENT.PUBLIC_URL}/docs/guide/runbooks`;

/** The first line of what is generated. */
export const NOTICE = 'Made by deploy/generate from the settings of the app: change it there.';
