import { refuseUnknownOptions, requireObject } from '@signalbox/options';
import { redisLink, requirePrefix, type RedisArgument, type RedisSource } from '@signalbox/redis';
import { answersInTime } from './bounded-store.js';
import { CREATE, END, END_ALL, LIST, UPDATE } from './scripts.js';
import {
  REMEMBER_END_MS,
  type Created,
  type ListedSession,
  type SessionPlace,
  type SessionStore,
  type Updated,
} from './store.js';

export interface RedisStoreOptions {
  /**
   * What all keys begin with. Without braces, since those make Redis Cluster's hash tags.
   * @default 'signalbox:sessions:'
   */
  prefix?: string | undefined;
}

const UPDATED: Readonly<Record<number, Updated>> = {
  1: 'saved',
  0: 'gone',
  [-1]: 'conflict',
  [-2]: 'too_large',
};

/**
 * Keeps sessions in Redis, shared by all processes. Needs Redis 6.2 or later. A request that changes nothing is one
 * GETEX, which reads the session and lets its idle time begin anew.
 *
 * @param source a link of `@signalbox/redis`, or an ioredis client, which stays its owner's to close
 * @throws {TypeError} when it is neither, or an option is wrong
 *
 * @example
 * const store = redisStore(new Redis(process.env.REDIS_URL));
 */
export function redisStore(source: RedisSource, options: RedisStoreOptions = {}): SessionStore {
  const link = redisLink(source);
  requireObject('redisStore', 'options', options);
  refuseUnknownOptions('redisStore', options, ['prefix']);
  const { prefix = 'signalbox:sessions:' } = options;
  requirePrefix('redisStore', prefix);

  const create = link.script('session-create', CREATE, { decode: Number });
  const update = link.script('session-update', UPDATE, { decode: Number });
  const end = link.script('session-end', END, { decode: Number });
  const list = link.script('session-list', LIST);
  const endAll = link.script('session-end-all', END_ALL, { decode: Number });

  const listKey = (tag: string): string => `${prefix}{${tag}}`;
  const keyOf = ({ tag, handle }: SessionPlace): string => `${prefix}{${tag}}:${handle}`;

  return answersInTime({
    read(place, idleMs) {
      return link.command('getex', keyOf(place), 'PX', idleMs) as Promise<string | undefined>;
    },

    async create(place, text, idleMs, owner): Promise<Created> {
      const args: RedisArgument[] = [text, idleMs];
      if (owner !== undefined) {
        const { entry, tooOldMs, replaces = '', keptMs, max, refuse } = owner;
        args.push(place.handle, entry, keptMs, max, refuse ? 1 : 0, REMEMBER_END_MS, tooOldMs, replaces);
      }
      const answer = await create([keyOf(place), listKey(place.tag)], args);
      if (answer === -2) return 'full';
      return answer === -1 ? 'exists' : answer;
    },

    async update(place, changes, idleMs, maxBytes) {
      const args: RedisArgument[] = [idleMs, maxBytes];
      for (const { token, member, expected } of changes) args.push(token, member, expected);
      return UPDATED[await update([keyOf(place)], args)] ?? 'gone';
    },

    async end(place) {
      return (await end([keyOf(place), listKey(place.tag)], [place.handle, REMEMBER_END_MS])) > 0;
    },

    async list(tag) {
      const found = (await list([listKey(tag)], [])) as (string | number)[];
      const sessions: ListedSession[] = [];
      for (let index = 0; index < found.length; index += 3) {
        const [handle, entry, leftMs] = found.slice(index, index + 3);
        sessions.push({ handle: String(handle), entry: String(entry), leftMs: Number(leftMs) });
      }
      return sessions;
    },

    async keepList(tag, keptMs) {
      await link.command('pexpire', listKey(tag), keptMs);
    },

    endAll: (tag, exceptHandle = '') => endAll([listKey(tag)], [REMEMBER_END_MS, exceptHandle]),

    async probe() {
      await link.command('getex', `${prefix}{probe}`, 'PX', 1_000);
    },
  });
}
