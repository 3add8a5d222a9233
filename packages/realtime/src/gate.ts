import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { BadRequestError, type HttpError } from '@signalbox/errors';
import { parsedUrl } from '@signalbox/options';
import type { Server as Engine } from 'engine.io';
import type { PathOwner } from './attach.js';
import { clientFiles } from './client-files.js';
import { refuseRequest, refuseUpgrade } from './http-refusal.js';
import { mayConnect } from './origins.js';
import { draining, originNotAllowed, sessionElsewhere, websocketOnly } from './refusals.js';
import { nodeOf } from './session-id.js';
import type { Settings } from './settings.js';
import type { WorkerRelay } from './worker-relay.js';

/** What the gate has to know of the rest. */
export interface GateKeeper {
  readonly engine: Engine;
  readonly node: string;
  readonly relay: WorkerRelay | undefined;
  isDraining(): boolean;
  refused(code: string): void;
}

/** What to do with a request: pass it on, refuse it, or hand it to the worker that has its session. */
type Verdict = { readonly refuse: HttpError } | { readonly relayTo: string } | undefined;

/**
 * Stands before Engine.IO. It refuses what cannot be right with a reason that a person understands, and with the error
 * object that all errors of the app have.
 */
export function createGate(settings: Settings, keeper: GateKeeper): PathOwner {
  const { engine, node, relay } = keeper;
  const { path, origins, websocketOnly: noPolling } = settings;
  const files = settings.serveClient ? clientFiles() : undefined;

  function judge(req: IncomingMessage, url: URL | undefined): Verdict {
    if (url === undefined) return { refuse: new BadRequestError('The URL cannot be read') };
    const { searchParams } = url;
    // Of a parameter that comes twice Engine.IO takes the last.
    const sessionId = searchParams.getAll('sid').at(-1);
    if (sessionId !== undefined && sessionId !== '') return judgeSession(sessionId);
    // A preflight request of CORS, which knows neither.
    if (req.method === 'OPTIONS') return undefined;
    if (keeper.isDraining()) return { refuse: draining() };
    if (noPolling && searchParams.getAll('transport').at(-1) === 'polling')
      return { refuse: websocketOnly() };
    return mayConnect(req, origins) ? undefined : { refuse: originNotAllowed() };
  }

  function judgeSession(sessionId: string): Verdict {
    const owner = nodeOf(sessionId);
    // Its own, or nobody's: Engine.IO says that there is none.
    if (owner === undefined || owner === node) return undefined;
    if (relay?.knows(owner)) return { relayTo: owner };
    return { refuse: sessionElsewhere() };
  }

  function refuse(error: HttpError, write: (error: HttpError) => void): void {
    keeper.refused(error.code);
    write(error);
  }

  return {
    request(req, res: ServerResponse) {
      const url = parse(req);
      if (files?.serve(req, res, url?.pathname.slice(path.length + 1) ?? '')) return;
      const verdict = judge(req, url);
      if (verdict === undefined) engine.handleRequest(req, res);
      else if ('relayTo' in verdict) relay?.request(verdict.relayTo, req, res);
      else refuse(verdict.refuse, (error) => refuseRequest(error, res));
    },

    upgrade(req, socket: Duplex, head) {
      const verdict = judge(req, parse(req));
      if (verdict === undefined) engine.handleUpgrade(req, socket, head);
      else if ('relayTo' in verdict) relay?.upgrade(verdict.relayTo, req, socket, head);
      else refuse(verdict.refuse, (error) => refuseUpgrade(error, socket));
    },
  };
}

function parse(req: IncomingMessage): URL | undefined {
  const { url = '' } = req;
  // Only the path matters; `//` at the beginning would be a host.
  return parsedUrl(url, 'http://localhost');
}
