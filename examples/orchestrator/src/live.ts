import type { IncomingMessage, Server } from 'node:http';
import { requireScope } from '@signalbox/auth';
import type { Logger } from '@signalbox/logging';
import { RateLimitExceededError, type Zones } from '@signalbox/rate-limit';
import { eventTypes, realtime, type Realtime, type SocketPrincipal } from '@signalbox/realtime';
import type { RedisLink } from '@signalbox/redis';
import { requestClasses } from '@signalbox/server';
import type { Express, Request, Response } from 'express';
import { z } from 'zod';
import type { HistoryKeeper } from './accounts/history-keeper.js';
import type { Asker, Identity } from './identity.js';
import { Query } from './modules/search/query.js';
import { byKey } from './protection.js';
import type { SearchJobs } from './search/search-jobs.js';
import { rates, type Settings } from './settings.js';

type Zone = 'search' | 'guest' | 'key';

/** What sockets are told besides the events of searches. */
export interface Told {
  system_alert: { level: string; message: string; timestamp: string };
  search_status: { query: string; status: string; timestamp: string };
}

export interface LiveParts {
  app: Express;
  settings: Settings;
  identity: Identity;
  jobs: SearchJobs;
  keeper: HistoryKeeper;
  limits: Zones<Zone>;
  redis: RedisLink | undefined;
  logger: Logger;
}

/** Who is at a socket: as over HTTP. */
interface Visitor extends SocketPrincipal {
  readonly asker: Asker;
  /** What a search counts against, as the limits know it: alike, whichever way it comes. */
  readonly counted: readonly (readonly [zone: Zone, whose: string])[];
}

/** What everybody may listen to. */
const OPEN_ROOMS: ReadonlySet<string> = new Set(['search_status']);
/** What admins alone may listen to. */
const ADMIN_ROOMS: ReadonlySet<string> = new Set(['operations']);

/** The sockets: searches with live progress, and alerts, for whoever may search over HTTP. */
export function liveSockets(server: Server, parts: LiveParts): Realtime<Told> {
  const { app, settings, identity, jobs, keeper, limits, redis, logger } = parts;
  const visitorOf = visitors(app, identity);

  /** As over HTTP. */
  async function countSearch([zone, whose]: Visitor['counted'][number]): Promise<void> {
    const { allowed, retryAfterSeconds = 1 } = await limits.take(zone, whose);
    if (allowed) return;
    const { limit, windowMs } = rates(settings)[zone];
    throw new RateLimitExceededError({
      zone,
      message: 'Too many searches',
      details: { zone, limit, windowSeconds: windowMs / 1_000, retryAfterSeconds },
    });
  }

  return realtime(server, {
    redis,
    jobs,
    log: logger,
    origins: [...ownOrigin(settings), ...settings.CORS_ORIGINS],
    // They were checked with the settings; a page of our own may be served without TLS in a closed network.
    production: false,
    emits: eventTypes<Told>(),
    authenticate: (req, { token }) => visitorOf(req, token),
    revoked: (listener, options) =>
      identity.onRevoked(
        ({ type, subject, family, session, tokenId, untilMs }) =>
          listener({ type, subject, session: family ?? session ?? tokenId, issuedUntil: untilMs }),
        options,
      ),
    rooms: (room, { asker }) =>
      OPEN_ROOMS.has(room) || (ADMIN_ROOMS.has(room) && asker.roles.includes('admin')),
    events: {
      search: {
        schema: z.strictObject({ q: Query.shape.q }),
        async handler({ q }, { principal: { asker, counted }, follow }) {
          await Promise.all(counted.map(countSearch));
          keeper.searched(asker, q);
          const { id } = await jobs.start('search', { q }, { owner: asker.id, about: { query: q } });
          await follow(id);
          return { id };
        },
      },
    },
  });
}

/** By what proxies in front say in `Host`, it might look like another one. */
function ownOrigin({ PUBLIC_URL }: Settings): string[] {
  return PUBLIC_URL === undefined ? [] : [new URL(PUBLIC_URL).origin];
}

/** Finds out who is at a socket, by the token that it was given or the cookie of its request. */
function visitors(app: Express, { who, required, asker, signInOf }: Identity) {
  const maySearch = requireScope('search');
  const { IncomingMessage: AppRequest, ServerResponse: AppResponse } = requestClasses(app);

  return async function visitorOf(req: IncomingMessage, token: unknown): Promise<Visitor> {
    // A request of its own: what was found out about the one that opened the socket may not hold any more.
    const asking = new AppRequest(req.socket) as Request;
    const { authorization: _authorization, ...headers } = req.headers;
    if (typeof token === 'string') {
      const { cookie: _cookie, ...others } = headers;
      asking.headers = { ...others, authorization: `Bearer ${token}` };
    } else asking.headers = headers;
    const answer = new AppResponse(asking) as Response;
    asking.res = answer;
    // Whether it is somebody may not be known at the moment, which is not the same as nobody.
    for (const middleware of [who, required, maySearch]) {
      await new Promise<void>((resolve, reject) => {
        void middleware(asking, answer, (error?: unknown) => (error ? reject(error) : resolve()));
      });
    }
    const found = asker(asking);
    const counted: [Zone, string][] = [['search', asking.ip ?? '']];
    if (found.roles.includes('guest')) counted.push(['guest', found.id]);
    const key = byKey(asking);
    if (key !== undefined) counted.push(['key', key]);
    return {
      subject: found.id,
      roles: found.roles,
      asker: found,
      counted,
      ...signInOf(asking),
    };
  };
}
