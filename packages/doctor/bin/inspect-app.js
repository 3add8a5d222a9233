// Loaded into an app that the doctor has started, before anything of it: tells, through a file, where the app
// listens, and what the request with the right mark looked like from the inside.

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { Server } from 'node:http';
import { Server as NetServer } from 'node:net';

const file = process.env.SIGNALBOX_DOCTOR_FILE;
const mark = process.env.SIGNALBOX_DOCTOR_MARK;

const tell = (what) => appendFileSync(file, `${JSON.stringify(what)}\n`);

function layersOf(app) {
  const stack = app?.router?.stack;
  if (!Array.isArray(stack)) return [];
  return stack.map((layer) => ({
    name: layer.route ? 'route' : String(layer.name ?? layer.handle?.name ?? ''),
    arity: Number(layer.handle?.length ?? 0),
  }));
}

function lookAt({ request, server }) {
  const { app, session, sessionStore } = request;
  const trusts = app?.get?.('trust proxy fn');
  return {
    kind: 'request',
    isExpress: typeof app?.get === 'function',
    // Further away than any chain of proxies: only who trusts all trusts this one.
    trustsAll: typeof trusts === 'function' && trusts('203.0.113.9', 100) === true,
    trustsNone: typeof trusts === 'function' && trusts('127.0.0.1', 0) !== true && !app.get('trust proxy'),
    poweredBy: app?.enabled?.('x-powered-by') === true,
    layers: layersOf(app),
    session: session && {
      store: String(sessionStore?.constructor?.name ?? ''),
      secure: session.cookie?.secure === true,
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
  const listen = Reflect.get(NetServer.prototype, 'listen');
  NetServer.prototype.listen = function listenAndTell(...args) {
    this.once('listening', () => {
      const address = this.address();
      const isWeb = 'requestTimeout' in this || 'keepAliveTimeout' in this;
      if (isWeb)
        tell({
          kind: 'listening',
          port: address?.port,
          socket: typeof address === 'string' ? address : undefined,
        });
    });
    return listen.apply(this, args);
  };
  subscribe('http.server.response.finish', (message) => {
    if (message.request.headers['x-signalbox-doctor'] !== mark) return;
    try {
      tell(lookAt(message));
    } catch {
      // An app that cannot be looked into is not disturbed.
    }
  });
}
