/**
 * The proxies of Node beside each other, each as its README shows it, with connections to the upstream kept
 * and `X-Forwarded-*` sent: `node proxy-contender.js NAME`. Gets `HOST`, `PORT` and `UPSTREAM`, says
 * `listening on http://…` on stderr, and ends on SIGTERM.
 */
import { Agent, createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';

const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 0);
const upstream = process.env.UPSTREAM ?? '';

function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  return new Promise((resolve) => {
    server.listen(port, host, () => resolve(`http://${host}:${(server.address() as AddressInfo).port}`));
  });
}

/** Each loads only what it needs: what lies in the heap costs every collection. */
const contenders: Record<string, () => Promise<string>> = {
  async signalbox() {
    const { proxy } = await import('@signalbox/gateway');
    const { serve } = await import('@signalbox/server');
    const app = express();
    app.use(proxy({ to: upstream }));
    return (await serve(app, { host, port })).url;
  },
  async 'signalbox-bare'() {
    const { proxy } = await import('@signalbox/gateway');
    const { serve } = await import('@signalbox/server');
    const pass = proxy({ to: upstream });
    const server = await serve((req, res) => pass(req, res, () => res.writeHead(502).end()), { host, port });
    return server.url;
  },
  async 'signalbox-express'() {
    const { proxy } = await import('@signalbox/gateway');
    const app = express();
    app.use(proxy({ to: upstream }));
    return listen(app);
  },
  async httpxy() {
    const { createProxyServer } = await import('httpxy');
    // Its own agent keeps connections.
    const proxyServer = createProxyServer({ target: upstream, xfwd: true });
    return listen((req, res) => void proxyServer.web(req, res));
  },
  async 'httpxy-express'() {
    const { createProxyServer } = await import('httpxy');
    const proxyServer = createProxyServer({ target: upstream, xfwd: true });
    const app = express();
    app.use((req, res) => void proxyServer.web(req, res));
    return listen(app);
  },
  async 'http-proxy'() {
    const { default: httpProxy } = await import('http-proxy');
    // Without one it makes a connection for every request.
    const agent = new Agent({ keepAlive: true });
    const proxyServer = httpProxy.createProxyServer({ target: upstream, xfwd: true, agent });
    return listen((req, res) => proxyServer.web(req, res));
  },
  async 'http-proxy-middleware'() {
    const { createProxyMiddleware } = await import('http-proxy-middleware');
    const agent = new Agent({ keepAlive: true });
    const app = express();
    app.use(createProxyMiddleware({ target: upstream, xfwd: true, agent }));
    return listen(app);
  },
  async 'fastify-http-proxy'() {
    const { default: fastify } = await import('fastify');
    const { default: fastifyProxy } = await import('@fastify/http-proxy');
    const app = fastify();
    await app.register(fastifyProxy, {
      upstream,
      replyOptions: {
        rewriteRequestHeaders: (request, headers) => ({
          ...headers,
          'x-forwarded-for': request.ip,
          'x-forwarded-proto': request.protocol,
          'x-forwarded-host': request.host,
        }),
      },
    });
    return app.listen({ host, port });
  },
};

const [name = ''] = process.argv.slice(2);
const start = contenders[name];
if (start === undefined) throw new TypeError(`There is no contender ${name}`);
process.stderr.write(`listening on ${await start()}\n`);
