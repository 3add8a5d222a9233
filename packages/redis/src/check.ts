import { RedisReplyError, RedisUnavailableError, type RedisUnavailableReason } from './errors.js';
import type { RedisLinkReport } from './link.js';
import type { RedisReply } from './reply.js';

/** What a check asks, and how. */
export interface Checked {
  /** Sends a command to some server, or the one for its key. */
  send(name: string, ...args: string[]): Promise<RedisReply>;
  /** Of a cluster, each primary: whether it can be asked, and its `INFO memory`. */
  primaries?: (() => { isUsable: boolean; memory: () => Promise<RedisReply> }[]) | undefined;
  /** Why there is no connection, where that is known. */
  why(): string | undefined;
}

/** The server answers, and does not take a write. */
const ANSWERS_ONLY: ReadonlySet<RedisUnavailableReason> = new Set(['readonly', 'oom', 'disk', 'replication']);

/** From this share of its memory on, a server that evicts nothing will soon refuse writes. */
const NEARLY_FULL = 0.95;

/**
 * Writes a key that expires, since a PING is answered by a server that takes no writes, too. All that it
 * asks leaves in one write.
 */
export async function checkRedis(redis: Checked, key: string): Promise<RedisLinkReport> {
  const startedAt = performance.now();
  const writing = redis.send('set', key, new Date().toISOString(), 'PX', '60000').then(
    () => undefined,
    (error: unknown) => error,
  );
  const asking = redis.primaries ? clusterDetails(redis) : singleDetails(redis);
  const problem = await writing;
  const latencyMs = Math.round((performance.now() - startedAt) * 10) / 10;
  const details = { latencyMs, ...(await asking) };

  if (problem !== undefined) return { ...reportOf(problem, redis.why()), details };
  const reason = memoryProblem(details) ?? clusterProblem(details);
  return reason === undefined ? { status: 'healthy', details } : { status: 'degraded', reason, details };
}

function reportOf(problem: unknown, why: string | undefined): Pick<RedisLinkReport, 'status' | 'reason'> {
  if (problem instanceof RedisReplyError) {
    return { status: 'degraded', reason: `it takes no writes: ${problem.message}` };
  }
  if (!(problem instanceof RedisUnavailableError)) return { status: 'unhealthy', reason: String(problem) };
  if (ANSWERS_ONLY.has(problem.reason)) {
    return { status: 'degraded', reason: `it takes no writes: ${problem.message}` };
  }
  const reason = problem.reason === 'down' ? (why ?? problem.message) : problem.message;
  return { status: 'unhealthy', reason };
}

type Details = Record<string, string | number>;

async function singleDetails(redis: Checked): Promise<Details> {
  const [memory, replication] = await Promise.all([
    fieldsOf(redis.send('info', 'memory')),
    fieldsOf(redis.send('info', 'replication')),
  ]);
  const role = replication.get('role');
  return { ...(role === undefined ? {} : { role }), ...memoryOf([memory]) };
}

async function clusterDetails(redis: Checked): Promise<Details> {
  const primaries = redis.primaries?.() ?? [];
  const usable = primaries.filter(({ isUsable }) => isUsable);
  const [state, ...memories] = await Promise.all([
    fieldsOf(redis.send('cluster', 'info')),
    ...usable.map(({ memory }) => fieldsOf(memory())),
  ]);
  const clusterState = state.get('cluster_state');
  return {
    role: 'cluster',
    ...(clusterState === undefined ? {} : { clusterState }),
    primaries: primaries.length,
    usablePrimaries: usable.length,
    ...memoryOf(memories),
  };
}

/** The lines of an INFO; none where it is refused, as it is to a user without the right to it. */
async function fieldsOf(answer: Promise<RedisReply>): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  const text = await answer.catch(() => '');
  for (const line of String(text).split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** Of several servers the sums. */
function memoryOf(servers: readonly Map<string, string>[]): Details {
  const known = servers.filter((fields) => fields.has('used_memory'));
  if (known.length === 0) return {};
  const sum = (field: string): number =>
    known.reduce((total, fields) => total + Number(fields.get(field) ?? 0), 0);
  return {
    usedMemoryBytes: sum('used_memory'),
    maxMemoryBytes: sum('maxmemory'),
    maxMemoryPolicy: known[0]?.get('maxmemory_policy') ?? 'unknown',
  };
}

function memoryProblem({ usedMemoryBytes, maxMemoryBytes, maxMemoryPolicy }: Details): string | undefined {
  const share = Number(usedMemoryBytes) / Number(maxMemoryBytes);
  if (maxMemoryPolicy !== 'noeviction' || !Number.isFinite(share) || share < NEARLY_FULL) return undefined;
  return `its memory is ${Math.floor(share * 100)} % full, and it will refuse writes (maxmemory-policy noeviction)`;
}

function clusterProblem({ clusterState, primaries, usablePrimaries }: Details): string | undefined {
  if (clusterState !== undefined && clusterState !== 'ok') return `the cluster's state is ${clusterState}`;
  if (primaries === usablePrimaries) return undefined;
  return `${Number(primaries) - Number(usablePrimaries)} of ${primaries} primaries do not answer`;
}
