import { EventEmitter, once } from 'node:events';
import { listen } from '@signalbox/testing';
import express, {
  Router,
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
} from 'express';
import { beforeEach, describe, expect, it } from 'vitest';
import { declareMount, facts, routeTemplate } from '../src/index.js';

const answer: RequestHandler = (_req, res) => {
  res.send('answer');
};

const fail: RequestHandler = () => {
  throw new Error('broken');
};

const answerErrors: ErrorRequestHandler = (_error, _req, res, _next) => {
  res.status(500).send('failed');
};

/** A wrapper that keeps the handler as the package shimmer does, and passes on the properties that can be listed. */
function traced(handle: RequestHandler): RequestHandler {
  const wrapper: RequestHandler = (req, res, next) => handle(req, res, next);
  Object.defineProperty(wrapper, '__original', { value: handle });
  return Object.assign(wrapper, handle);
}

/** A function that does the same and tells nothing of the handler, as those of New Relic's and Elastic's tracers. */
function hidden(handle: RequestHandler): RequestHandler {
  return (req, res, next) => handle(req, res, next);
}

/** The template as a request log sees it, when the response has been sent. */
async function templateOf(app: Express, path: string, init: RequestInit = {}): Promise<string | undefined> {
  const events = new EventEmitter();
  const outer = express().use((req, res, next) => {
    res.on('finish', () => events.emit('finished', routeTemplate(req)));
    next();
  });
  // The listener must be the first of all, and the app's own.
  app.router.stack.unshift(...outer.router.stack);
  const finished = once(events, 'finished');
  await (await fetch((await listen(app)) + path, init)).text();
  const [template] = (await finished) as [string | undefined];
  app.router.stack.shift();
  return template;
}

describe('routeTemplate', () => {
  let app: Express;

  beforeEach(() => {
    app = express();
  });

  it.each([
    ['/', '/'],
    ['/users', '/users'],
    ['/users/:id', '/users/7'],
    ['/files/:name.:ext', '/files/a.txt'],
    ['/:from-:to', '/here-there'],
    ['/files/*path', '/files/a/b/c'],
    ['/{*rest}', '/whatever/it/is'],
    ['/users{/:id}/edit', '/users/edit'],
    ['/caf%C3%A9/:id', '/caf%C3%A9/7'],
  ])('is the path of the route %s', async (template, path) => {
    app.get(template, answer);

    expect(await templateOf(app, path)).toBe(template);
  });

  it('is what a middleware has named itself that answers without a route', async () => {
    app.use('/assets', (req, res) => {
      facts(req).route = '/assets';
      res.send(routeTemplate(req));
    });

    expect(await (await fetch(`${await listen(app)}/assets/a.css`)).text()).toBe('/assets');
  });

  it('is known in the handler already', async () => {
    app.get('/users/:id', (req, res) => {
      res.send(routeTemplate(req));
    });

    expect(await (await fetch(`${await listen(app)}/users/7`)).text()).toBe('/users/:id');
  });

  it('has no part of the query in it', async () => {
    app.get('/search', answer);

    expect(await templateOf(app, '/search?q=/secret')).toBe('/search');
  });

  it('begins with the mount paths of nested routers, parameters included', async () => {
    const posts = Router({ mergeParams: true }).get('/:post/comments', answer);
    const users = Router().use('/:user/posts', posts);
    app.use('/api/:tenant', users);

    expect(await templateOf(app, '/api/acme/ada/posts/7/comments')).toBe(
      '/api/:tenant/:user/posts/:post/comments',
    );
  });

  it('is that of the mount for the route / of a router', async () => {
    app.use('/users', Router().get('/', answer));

    expect(await templateOf(app, '/users')).toBe('/users');
    expect(await templateOf(app, '/users/?a=1')).toBe('/users');
  });

  it('is the same for a router mounted without a path', async () => {
    app.use(Router().use('/', Router().get('/users/:id', answer)));

    expect(await templateOf(app, '/users/7')).toBe('/users/:id');
  });

  it('tells which path of an array it was', async () => {
    app.get(['/people/:id', '/users/:id'], answer);

    expect(await templateOf(app, '/users/7')).toBe('/users/:id');
    expect(await templateOf(app, '/people/7?from=/users/7')).toBe('/people/:id');
  });

  it('tells which mount path of an array it was', async () => {
    app.use(['/v1', '/:version/api'], Router().get(['/a', '/b/:id'], answer));

    expect(await templateOf(app, '/v1/b/7')).toBe('/v1/b/:id');
    expect(await templateOf(app, '/v2/api/a')).toBe('/:version/api/a');
    expect(await templateOf(app, '/V1/A/')).toBe('/v1/a');
  });

  it('tells where a router that is mounted twice was entered', async () => {
    const router = Router().get('/users/:id', answer);
    app.use('/v1', router);
    app.use('/v2/:tenant', Router().use('/inner', router));

    expect(await templateOf(app, '/v1/users/7')).toBe('/v1/users/:id');
    expect(await templateOf(app, '/v2/acme/inner/users/7')).toBe('/v2/:tenant/inner/users/:id');
  });

  it('takes the first that fits, as Express does', async () => {
    const router = Router().get('/:id', answer);
    app.use('/:any', router);
    app.use('/users', router);

    expect(await templateOf(app, '/users/7')).toBe('/:any/:id');
  });

  it('is the source of a regular expression', async () => {
    app.get(/^\/ab?c$/, answer);
    app.use('/in', Router().get(/^\/(\d+)$/, answer));

    expect(await templateOf(app, '/ac')).toBe(String.raw`^\/ab?c$`);
    expect(await templateOf(app, '/in/7')).toBe(String.raw`/in^\/(\d+)$`);
  });

  it('tells regular expressions apart where they are mounts', async () => {
    const router = Router().get('/x', answer);
    app.use(/^\/v\d+/g, router);
    app.use(['/w', /^\/[xyz]+/], router);

    expect(await templateOf(app, '/zz/x')).toBe(String.raw`^\/[xyz]+/x`);
    expect(await templateOf(app, '/w/x')).toBe('/w/x');
    expect(await templateOf(app, '/v12/x')).toBe(String.raw`^\/v\d+/x`);
  });

  it('is undefined where nothing has matched', async () => {
    app.use('/users', Router().get('/:id', answer));

    expect(await templateOf(app, '/nothing')).toBeUndefined();
    expect(await templateOf(app, '/users/7/8')).toBeUndefined();
    expect(await templateOf(app, '/users/7', { method: 'POST' })).toBeUndefined();
  });

  it('is undefined for a middleware that answers by itself', async () => {
    app.use('/static', answer);

    expect(await templateOf(app, '/static/x')).toBeUndefined();
  });

  it('is right for HEAD', async () => {
    app.get('/users/:id', answer);

    expect(await templateOf(app, '/users/7', { method: 'HEAD' })).toBe('/users/:id');
  });

  it('is right after an error, also one from a nested route', async () => {
    app.use('/api/:tenant', Router().use('/users', Router().get('/:id', fail)));
    app.use(answerErrors);

    expect(await templateOf(app, '/api/acme/users/7')).toBe('/api/:tenant/users/:id');
  });

  it('is right in the error handler, after an error that came later', async () => {
    const seen: unknown[] = [];
    const router = Router().get('/:id', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('broken');
    });
    app.use('/api/:tenant', router);
    app.use(((_error, req, res, _next) => {
      seen.push(routeTemplate(req));
      res.sendStatus(500);
    }) satisfies ErrorRequestHandler);
    await templateOf(app, '/api/acme/7');

    expect(seen).toEqual(['/api/:tenant/:id']);
  });

  it('is right for an error of a param handler', async () => {
    const router = Router().get('/:id', answer);
    router.param('id', (_req, _res, next) => next(new Error('no such id')));
    app.use('/users', router).use(answerErrors);

    expect(await templateOf(app, '/users/7')).toBe('/users/:id');
  });

  it('is right for a mounted app, mounted apps in it, and their errors', async () => {
    const inner = express().get('/:id', answer).get('/:id/fails', fail);
    app.use('/outer/:a', express().use('/inner', inner)).use(answerErrors);

    expect(await templateOf(app, '/outer/1/inner/7/fails')).toBe('/outer/:a/inner/:id/fails');
    expect(await templateOf(app, '/outer/1/inner/7')).toBe('/outer/:a/inner/:id');
  });

  it('runs nothing of a mounted app to look into it', async () => {
    const ran: string[] = [];
    const inner = express().use((_req, _res, next) => {
      ran.push('middleware');
      next();
    });
    app.use('/inner', inner.get('/x', answer));
    app.get('/other', answer);

    expect(await templateOf(app, '/other')).toBe('/other');
    expect(ran).toEqual([]);
  });

  it('finds routes that are mounted later, on the app and deep below it', async () => {
    const router = Router();
    app.use('/api/:tenant', Router().use('/in', router));
    app.get('/early', answer);
    expect(await templateOf(app, '/early')).toBe('/early');

    router.get('/late/:id', answer);
    app.use('/more', Router().get('/later/:id', answer));

    expect(await templateOf(app, '/api/acme/in/late/7')).toBe('/api/:tenant/in/late/:id');
    expect(await templateOf(app, '/more/later/7')).toBe('/more/later/:id');
  });

  it('notices that a router it knows is mounted at a second place', async () => {
    const router = Router().get('/:id', answer);
    app.use('/first', router);
    expect(await templateOf(app, '/first/7')).toBe('/first/:id');

    app.use('/second', router);

    expect(await templateOf(app, '/second/7')).toBe('/second/:id');
  });

  it('finds the routes behind a middleware that says where it leads', async () => {
    const router = Router().get('/:id', answer);
    const through: RequestHandler = (req, res, next) => router(req, res, next);
    const again: RequestHandler = (req, res, next) => through(req, res, next);
    declareMount(through, router);
    declareMount(again, through);
    app.use('/api/:tenant', again);

    expect(await templateOf(app, '/api/acme/7')).toBe('/api/:tenant/:id');
  });

  it('follows a middleware that leads elsewhere from now on', async () => {
    let router = Router().get('/old/:id', answer);
    const through: RequestHandler = (req, res, next) => router(req, res, next);
    declareMount(through, router);
    app.use('/api', through);
    expect(await templateOf(app, '/api/old/7')).toBe('/api/old/:id');

    router = Router().get('/new/:id', answer);
    declareMount(through, router);

    expect(await templateOf(app, '/api/new/7')).toBe('/api/new/:id');
  });

  it('finds routes of apps, declared mounts and routers behind the functions that a tracer puts in their place', async () => {
    const router = Router().get('/:id', answer);
    const through: RequestHandler = (req, res, next) => router(req, res, next);
    declareMount(through, router);
    app.use('/declared', through);
    app.use('/sub', express().get('/:name', answer));
    app.use('/router', Router().get('/:page', answer));
    // As OpenTelemetry's instrumentation of Express does.
    for (const layer of app.router.stack) layer.handle = traced(traced(layer.handle as RequestHandler));

    expect(await templateOf(app, '/declared/7')).toBe('/declared/:id');
    expect(await templateOf(app, '/sub/emma')).toBe('/sub/:name');
    expect(await templateOf(app, '/router/7')).toBe('/router/:page');
  });

  it.each([
    [
      'leaves alone what looks like a router',
      (handle: RequestHandler) => ('stack' in handle ? handle : hidden(handle)),
    ],
    [
      'passes on the properties that it finds',
      (handle: RequestHandler) => Object.assign(hidden(handle), handle),
    ],
  ])('finds routes of declared mounts where a tracer keeps no handler, and %s', async (_how, trace) => {
    const router = Router().get('/:id', answer);
    const through: RequestHandler = (req, res, next) => router(req, res, next);
    declareMount(through, router);
    const late: RequestHandler = (req, res, next) => router(req, res, next);
    declareMount(late);
    app.use('/declared/:tenant', trace(through));
    app.use('/late', trace(late));
    declareMount(late, Router().get('/other', answer), router);

    expect(await templateOf(app, '/declared/acme/7')).toBe('/declared/:tenant/:id');
    expect(await templateOf(app, '/late/7')).toBe('/late/:id');
  });

  it('survives middlewares and routers that lead in a circle', async () => {
    const router = Router();
    router.use('/again', router).get('/x', answer);
    const one: RequestHandler = (_req, _res, next) => next();
    const two: RequestHandler = (_req, _res, next) => next();
    declareMount(one, two);
    declareMount(two, one);
    app.use(one, two, router);

    expect(await templateOf(app, '/x')).toBe('/x');
  });

  it('puts a star in place of a mount that nobody has declared, or the prefix that facts name', async () => {
    const router = Router().get('/users/:id', answer);
    const hidden: RequestHandler = (req, res, next) => {
      if (req.query['prefix'] !== undefined) facts(req).prefix = '/api/:tenant';
      router(req, res, next);
    };
    app.use('/api/:tenant', hidden);

    expect(await templateOf(app, '/api/acme/users/7')).toBe('/*/users/:id');
    expect(await templateOf(app, '/api/acme/users/7?prefix')).toBe('/api/:tenant/users/:id');
  });

  it('never walks without end for routes that are made anew for every request', async () => {
    app.use((req, res, next) => {
      Router().get('/:id', answer)(req, res, next);
    });
    let reads = 0;
    const { stack } = app.router;
    // Every walk reads the handle of every layer.
    const [layer] = stack;
    const handle = layer?.handle;
    Object.defineProperty(layer, 'handle', { get: () => (reads++, handle) });
    const url = await listen(app);
    const templates = new Set<string | undefined>();
    app.router.stack.unshift(
      ...express().use((req, res, next) => {
        res.on('finish', () => templates.add(routeTemplate(req)));
        next();
      }).router.stack,
    );
    for (let i = 0; i < 100; i++) await (await fetch(`${url}/${i}`)).text();

    expect(templates).toEqual(new Set(['/*/:id']));
    // One read a request, and two (for its name, for its layers) a walk.
    expect(reads - 100).toBeLessThan(100 * 2);
  });

  it('stands a star for mounts that routers before 2.3 do not keep', async () => {
    app.use('/api/:tenant', Router().use(Router().get('/users/:id', answer)));
    forgetMounts(app.router);

    expect(await templateOf(app, '/api/acme/users/7')).toBe('/*/users/:id');
  });

  it('chooses by the path that was asked for, where a middleware rewrites the URL', async () => {
    app.use((req: Request, _res, next) => {
      req.url = req.url.replace('/old', '/new');
      next();
    });
    app.use(['/new', '/newer'], Router().get('/:id', answer));

    expect(await templateOf(app, '/old/7')).toBe('/new/:id');
  });

  it('keeps apart apps that share a router', async () => {
    const router = Router().get('/:id', answer);
    const other = express().use('/other', router);
    app.use('/one', router);

    expect(await templateOf(app, '/one/7')).toBe('/one/:id');
    expect(await templateOf(other, '/other/7')).toBe('/other/:id');
  });
});

interface OldLayer {
  rawPath?: unknown;
  route?: unknown;
  handle: { stack?: OldLayer[] };
}

/** What a router of version 2.2 knows of its layers. */
function forgetMounts(router: unknown): void {
  for (const layer of (router as { stack?: OldLayer[] }).stack ?? []) {
    delete layer.rawPath;
    forgetMounts(layer.handle);
  }
}
