// Loaded into an app that the doctor has started, before anything of it: tells, through a file, where the app
// listens, and what the request with the right mark looked like from the inside.

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { type IncomingMessage, Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { asList, asRecord, asText } from '../folder/read-folder.js';

const file = process.env['SIGNALBOX_DOCTOR_FILE'];
const mark = process.env['SIGNALBOX_DOCTOR_MARK'];

interface Finished {
  readonly request: IncomingMessage;
  readonly server: Server;
}

type Value = Readonly<Record<string, unknown>>;

function tell(what: Value): void {
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(what)}\n`);
}

/** What a method of some object gives; `undefined` where there is no such method. */
function call(object: Value, name: string, ...args: readonly unknown[]): unknown {
  const method = object[name];
  return typeof method === 'function' ? Reflect.apply(method, object, args) : undefined;
}

function layersOf(app: Value): Value[] {
  return asList(part(part(app, 'router'), 'stack')).map((each) => {
    const handle = part(each, 'handle');
    const { name: own = '', length = 0 } = typeof handle === 'function' ? handle : {};
    const name = part(each, 'name');
    return { name: part(each, 'route') ? 'route' : asText(name) || own, arity: length };
  });
}

/** Functions have parts as objects have. */
function part(owner: unknown, name: string): unknown {
  return owner === undefined || owner === null ? undefined : Reflect.get(Object(owner), name);
}

function lookAt({ request, server }: Finished): Value {
  const app = Object(part(request, 'app')) as Value;
  const session = part(request, 'session');
  const trusts = call(app, 'get', 'trust proxy fn');
  const isTrusted = (address: string, hops: number): unknown =>
    typeof trusts === 'function' ? Reflect.apply(trusts, undefined, [address, hops]) : undefined;
  return {
    kind: 'request',
    isExpress: typeof app['get'] === 'function',
    // Further away than any chain of proxies: only who trusts all trusts this one.
    trustsAll: isTrusted('203.0.113.9', 100) === true,
    trustsNone:
      typeof trusts === 'function' && isTrusted('127.0.0.1', 0) !== true && !call(app, 'get', 'trust proxy'),
    poweredBy: call(app, 'enabled', 'x-powered-by') === true,
    layers: layersOf(app),
    session: session && {
      store: asText(part(part(part(request, 'sessionStore'), 'constructor'), 'name')),
      secure: asRecord(part(session, 'cookie'))?.['secure'] === true,
    },
    server: {
      isPlain: server instanceof Server,
      keepAliveTimeout: server.keepAliveTimeout,
      headersTimeout: server.headersTimeout,
      requestTimeout: server.requestTimeout,
    },
    handlesSigterm: process.listenerCount('SIGTERM') > 0,
  };
}

if (file !== undefined && mark !== undefined) {
  const listen: unknown = Reflect.get(NetServer.prototype, 'listen');
  const listenAndTell = function listenAndTell(this: NetServer, ...args: unknown[]): unknown {
    this.once('listening', () => {
      const address = this.address();
      if (!('requestTimeout' in this || 'keepAliveTimeout' in this)) return;
      tell({
        kind: 'listening',
        port: typeof address === 'string' ? undefined : address?.port,
        socket: typeof address === 'string' ? address : undefined,
      });
    });
    return typeof listen === 'function' ? Reflect.apply(listen, this, args) : undefined;
  };
  Reflect.set(NetServer.prototype, 'listen', listenAndTell);
  subscribe('http.server.response.finish', (message) => {
    const finished = message as Finished;
    if (finished.request.headers['x-signalbox-doctor'] !== mark) return;
    try {
      tell(lookAt(finished));
    } catch {
      // An app that cannot be looked into is not disturbed.
    }
  });
}
