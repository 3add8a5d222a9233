import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { errorOf, failingServer, upstream, upstreamServer, until } from './upstream-server.js';

const JSON_TEXT = '{"greeting":"grüß Gott"}';

describe('an answer', () => {
  it('comes with status, headers, body and the server it came from', async () => {
    const { url } = await upstreamServer((_req, res) =>
      res.writeHead(404, { 'X-Thing': 'a' }).end('none here'),
    );
    const response = await upstream({ urls: url }).request({ path: '/' });

    expect(response).toMatchObject({ status: 404, upstream: 'service', server: url });
    expect(response.headers['x-thing']).toBe('a');
    expect(response.body.toString()).toBe('none here');
  });

  it.each([
    ['gzip', gzipSync(JSON_TEXT)],
    ['x-gzip', gzipSync(JSON_TEXT)],
    ['br', brotliCompressSync(JSON_TEXT)],
    ['deflate', deflateSync(JSON_TEXT)],
    ['deflate', deflateRawSync(JSON_TEXT)],
    ['br, gzip', gzipSync(brotliCompressSync(JSON_TEXT))],
    [['br', 'gzip'], gzipSync(brotliCompressSync(JSON_TEXT))],
    ['identity', Buffer.from(JSON_TEXT)],
  ])('encoded as %s is decoded', async (coding, body) => {
    const { url } = await upstreamServer((_req, res) => res.setHeader('content-encoding', coding).end(body));
    const response = await upstream({ urls: url }).request({ path: '/' });

    expect(response.body.toString()).toBe(JSON_TEXT);
    if (coding !== 'identity') expect(response.headers['content-encoding']).toBeUndefined();
  });

  it('encoded over and over is refused', async () => {
    const { url } = await upstreamServer((_req, res) => {
      res.setHeader('content-encoding', 'gzip, gzip, gzip').end(gzipSync(gzipSync(gzipSync('{}'))));
    });
    await expect(upstream({ urls: url, retries: 0 }).json({ path: '/' })).rejects.toMatchObject({
      code: 'upstream_invalid_response',
    });
  });

  it('has no body where HTTP says so, whatever its headers announce', async () => {
    const { url } = await upstreamServer((req, res) => {
      if (req.method === 'HEAD')
        res.writeHead(200, { 'content-length': '999999999', 'content-encoding': 'gzip' });
      else if (req.method === 'GET') res.writeHead(304, { 'content-length': '999999999', etag: '"a"' });
      else res.writeHead(204);
      res.end();
    });
    const service = upstream({ urls: url, maxResponseBytes: 1_000 });
    expect(await service.request({ method: 'HEAD' })).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    const unchanged = await service.request({ headers: { 'if-none-match': '"a"' } });
    expect(unchanged).toMatchObject({ status: 304, headers: { etag: '"a"' }, body: Buffer.alloc(0) });
    expect(await service.request({ method: 'DELETE' })).toMatchObject({ status: 204, body: Buffer.alloc(0) });
  });

  it('without end is cut off at maxResponseBytes, and its connection destroyed', async () => {
    let sent = 0;
    let closed = false;
    const { url } = await upstreamServer((_req, res) => {
      const chunk = Buffer.alloc(65_536);
      const write = (): void => {
        while (!res.destroyed && sent < 52_428_800) {
          sent += chunk.length;
          if (!res.write(chunk)) return;
        }
        res.end();
      };
      res.on('drain', write).on('close', () => {
        closed = true;
      });
      write();
    });
    const service = upstream({ urls: url, maxResponseBytes: 1_000_000, retries: 0 });

    const problem = await errorOf(service.text({ path: '/' }));
    expect(problem.message).toBe(`upstream "service": the answer of ${url} is larger than 1000000 bytes`);
    await until(() => closed);
    expect(sent).toBeLessThan(52_428_800);
  });

  it('that is larger than allowed says nothing against its server', async () => {
    const { url } = await upstreamServer((req, res) => {
      if (req.url === '/in-chunks') res.write('x'.repeat(600));
      if (req.url === '/encoded') res.setHeader('content-encoding', 'gzip');
      const body = 'x'.repeat(req.url === '/small' ? 6 : 600);
      res.end(req.url === '/encoded' ? gzipSync(body) : body);
    });
    const service = upstream({ urls: url, maxResponseBytes: 500, retries: 0, breaker: { failures: 2 } });

    for (const path of ['/told', '/told', '/in-chunks', '/in-chunks', '/encoded', '/encoded']) {
      expect(await errorOf(service.text({ path }))).toMatchObject({ code: 'upstream_invalid_response' });
    }
    expect(await service.text({ path: '/small' })).toBe('xxxxxx');
    expect(service.state().servers).toMatchObject([{ consecutiveFailures: 0 }]);
  });

  it('that is a redirect is not followed', async () => {
    const target = await upstreamServer((_req, res) => res.end('secret'));
    const { url } = await upstreamServer((_req, res) => res.writeHead(302, { location: target.url }).end());
    const service = upstream({ urls: url });

    expect(await service.request({ path: '/' })).toMatchObject({ status: 302 });
    await expect(service.text({ path: '/' })).rejects.toMatchObject({
      code: 'upstream_error',
      upstreamStatus: 302,
      message: `upstream "service": ${url} answered 302, and redirects are not followed`,
    });
    expect(target.seen).toHaveLength(0);
  });
});

describe('json', () => {
  it('reads JSON whatever its type claims, with a byte order mark or without', async () => {
    const { url } = await upstreamServer((_req, res) =>
      res.setHeader('content-type', 'text/html').end(`\uFEFF${JSON_TEXT}`),
    );
    expect(await upstream({ urls: url }).json({ path: '/' })).toEqual(JSON.parse(JSON_TEXT));
  });

  it('needs a 2xx', async () => {
    const { url } = await upstreamServer((_req, res) => res.writeHead(404).end('{}'));
    await expect(upstream({ urls: url }).json({ path: '/' })).rejects.toMatchObject({
      status: 502,
      code: 'upstream_error',
      upstreamStatus: 404,
      message: `upstream "service": ${url} answered 404`,
    });
  });

  it('passes what it read through `parse`', async () => {
    const { url } = await upstreamServer((_req, res) => res.end('{"count":"7"}'));
    const service = upstream({ urls: url, retries: 0 });
    const count = await service.json({
      path: '/',
      parse: (value) => Number((value as { count: string }).count),
    });
    expect(count).toBe(7);

    const cause = new RangeError('no such thing');
    const refusing = service.json({
      path: '/',
      parse: () => {
        throw cause;
      },
    });
    await expect(refusing).rejects.toMatchObject({
      code: 'upstream_invalid_response',
      message: `upstream "service": ${url} answered JSON of another shape than expected`,
      cause,
    });
  });
});

describe('text', () => {
  it('reads the charset that the answer names, and UTF-8 where it names none that exists', async () => {
    const bodies: [string, Buffer, string][] = [
      ['text/plain; charset=iso-8859-1', Buffer.from([0x67, 0x72, 0xfc, 0x6e]), 'grün'],
      ['text/plain; charset="UTF-8"', Buffer.from('grün'), 'grün'],
      ['text/plain; charset=utf-88', Buffer.from('grün'), 'grün'],
      ['text/plain', Buffer.from('\uFEFFgrün'), 'grün'],
    ];
    for (const [type, body, text] of bodies) {
      const { url } = await upstreamServer((_req, res) => res.setHeader('content-type', type).end(body));
      expect(await upstream({ urls: url }).text({ path: '/' })).toBe(text);
    }
  });

  it('keeps the connection after a failure that has a small body', async () => {
    const { url } = await failingServer(500);
    const service = upstream({ urls: url, retries: 0 });
    await errorOf(service.text({ path: '/' }));
    await until(() => service.state().servers[0]?.inFlight === 0);
    expect(service.state().servers[0]?.connections).toBe(1);
  });
});
