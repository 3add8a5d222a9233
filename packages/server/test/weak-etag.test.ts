import { listen } from '@signalbox/testing';
import express from 'express';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weakETag } from '../src/index.js';

describe('weakETag', () => {
  it('gives every body the ETag that Express gives it', () => {
    const stock: (body: string | Buffer, encoding?: BufferEncoding) => string = express().get('etag fn');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.uint8Array()), (content) => {
        const body = typeof content === 'string' ? content : Buffer.from(content);
        expect(weakETag(body)).toBe(stock(body));
        expect(weakETag(body, 'latin1')).toBe(stock(body, 'latin1'));
      }),
    );
  });

  it('works as the setting of an app, 304 included', async () => {
    const app = express().set('etag', weakETag);
    app.get('/', (_req, res) => void res.json({ ok: true }));
    const url = await listen(app);

    const etag = (await fetch(url)).headers.get('etag') ?? '';
    expect(etag).toBe('W/"b-Ai2R8hgEarLmHKwesT1qcY913ys"');
    // Unless told otherwise, `fetch` says that it wants no cached answer.
    const headers = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
    expect((await fetch(url, { headers })).status).toBe(304);
  });
});
