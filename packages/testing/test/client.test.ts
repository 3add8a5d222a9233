import express from 'express';
import { describe, expect, it } from 'vitest';
import { client, listen } from '../src/index.js';

function queryOf(req: express.Request): URLSearchParams {
  return new URL(req.originalUrl, 'http://any').searchParams;
}

/** Answers with what it got. */
function echo(): express.Express {
  const app = express();
  app.get('/set', (req, res) => {
    res.set('Set-Cookie', queryOf(req).getAll('cookie')).sendStatus(204);
  });
  app.get('/sign-in', (_req, res) => {
    res.cookie('session', 's1').redirect(303, '/echo');
  });
  app.all('/to/:status', (req, res) => {
    res.redirect(Number(req.params.status), queryOf(req).get('location') ?? '/echo');
  });
  app.use(express.text({ type: () => true }));
  app.all('/echo', (req, res) => {
    res.json({ method: req.method, headers: req.headers, body: req.body ?? null });
  });
  return app;
}

interface Echo {
  method: string;
  headers: Record<string, string>;
  body: string | null;
}

async function read(response: Promise<Response>): Promise<Echo> {
  return (await (await response).json()) as Echo;
}

describe('client', () => {
  it.each(['get', 'post', 'put', 'patch', 'delete'] as const)('makes a %s request', async (method) => {
    const visitor = client(await listen(echo()));

    expect((await read(visitor[method]('/echo'))).method).toBe(method.toUpperCase());
  });

  it('makes a request of any method', async () => {
    const visitor = client(await listen(echo()));

    expect((await visitor.request('OPTIONS', '/echo')).status).toBe(200);
  });

  it('sends json with its content type', async () => {
    const visitor = client(await listen(echo()));
    const { headers, body } = await read(visitor.post('/echo', { json: { q: 'tea' } }));

    expect(headers['content-type']).toBe('application/json');
    expect(body).toBe('{"q":"tea"}');
  });

  it('sends null, false and 0 as json too', async () => {
    const visitor = client(await listen(echo()));

    for (const json of [null, false, 0]) {
      expect((await read(visitor.post('/echo', { json }))).body).toBe(String(json));
    }
  });

  it('leaves a content type alone that comes with the json', async () => {
    const visitor = client(await listen(echo()));
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const sent = await read(visitor.patch('/echo', { json: {}, headers }));

    expect(sent.headers['content-type']).toBe('application/merge-patch+json');
  });

  it('sends the common headers, and those of the request in their place', async () => {
    const visitor = client(await listen(echo()), { headers: { 'X-A': 'common', 'X-B': 'common' } });
    const { headers } = await read(visitor.get('/echo', { headers: { 'x-b': 'own' } }));

    expect(headers).toMatchObject({ 'x-a': 'common', 'x-b': 'own' });
  });

  it('sends back the cookies that it was given', async () => {
    const visitor = client(await listen(echo()));
    await visitor.get('/set?cookie=a=1&cookie=b=2; HttpOnly; Secure; Path=/echo');

    expect((await read(visitor.get('/echo'))).headers['cookie']).toBe('b=2; a=1');
  });

  it('adds them to a Cookie header of the request', async () => {
    const visitor = client(await listen(echo()));
    await visitor.get('/set?cookie=a=1');

    const { headers } = await read(visitor.get('/echo', { headers: { Cookie: 'own=1' } }));
    expect(headers['cookie']).toBe('own=1; a=1');
  });

  it('forgets a cookie that expires', async () => {
    const visitor = client(await listen(echo()));
    await visitor.get('/set?cookie=a=1');
    await visitor.get('/set?cookie=a=; Max-Age=0');

    expect((await read(visitor.get('/echo'))).headers['cookie']).toBeUndefined();
  });

  it('takes no cookie for a foreign domain, and does not fail over it', async () => {
    const visitor = client(await listen(echo()));
    const response = await visitor.get('/set?cookie=a=1; Domain=example.com');

    expect(response.status).toBe(204);
    expect((await read(visitor.get('/echo'))).headers['cookie']).toBeUndefined();
  });

  it('shares no cookies with another client', async () => {
    const url = await listen(echo());
    await client(url).get('/set?cookie=a=1');

    expect((await read(client(url).get('/echo'))).headers['cookie']).toBeUndefined();
  });

  it('shows its jar', async () => {
    const url = await listen(echo());
    const visitor = client(url);
    await visitor.get('/set?cookie=a=1');

    expect(await visitor.cookies.getCookieString(url)).toBe('a=1');
  });

  it('returns a redirect as it is', async () => {
    const response = await client(await listen(echo())).get('/sign-in');

    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe('/echo');
  });

  it('follows redirects by option, with the cookies that come on the way', async () => {
    const visitor = client(await listen(echo()), { followRedirects: true });

    expect((await read(visitor.get('/sign-in'))).headers['cookie']).toBe('session=s1');
    expect((await visitor.get('/sign-in', { followRedirects: false })).status).toBe(303);
  });

  it.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [302, 'PUT', 'PUT'],
    [303, 'PUT', 'GET'],
    [307, 'POST', 'POST'],
    [308, 'PUT', 'PUT'],
  ])('turns, after a %s, a %s into a %s', async (status, method, becomes) => {
    const visitor = client(await listen(echo()), { followRedirects: true });
    const arrived = await read(visitor.request(method, `/to/${status}`, { json: 1 }));

    expect(arrived.method).toBe(becomes);
    expect(arrived.body).toBe(becomes === 'GET' ? null : '1');
    expect(arrived.headers['content-type']).toBe(becomes === 'GET' ? undefined : 'application/json');
  });

  it('keeps credentials from another origin', async () => {
    const other = await listen(echo());
    const visitor = client(await listen(echo()), { followRedirects: true, headers: { Authorization: 'x' } });
    const { headers } = await read(visitor.get(`/to/302?location=${encodeURIComponent(`${other}/echo`)}`));

    expect(headers['authorization']).toBeUndefined();
  });

  it('gives up on a circle', async () => {
    const circle = express().use((_req, res) => res.redirect('/'));
    const visitor = client(await listen(circle), { followRedirects: true });

    await expect(visitor.get('/')).rejects.toThrow('GET /: more than 20 redirects');
  });

  it('refuses json together with a body', async () => {
    const visitor = client(await listen(echo()));

    await expect(visitor.post('/echo', { json: 1, body: '1' })).rejects.toThrow(
      'client: give either "json" or "body", not both',
    );
  });

  it.each(['', 'localhost:3000', 'ftp://127.0.0.1', '/path'])('refuses %j as its URL', (url) => {
    expect(() => client(url)).toThrow('client: "url" must be an http(s) URL');
  });
});
