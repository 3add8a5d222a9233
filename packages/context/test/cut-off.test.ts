import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { listen } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cutOffBy } from '../src/index.js';

/** What `cutOffBy` says when the answer is over, once. */
async function cutOffs(answer: RequestListener, leave = false): Promise<unknown[]> {
  const told: unknown[] = [];
  const url = await listen((req, res) => {
    res.on('close', () => told.push(cutOffBy(res, req.socket)));
    answer(req, res);
  });
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  if (leave) {
    await once(socket, 'data');
    socket.resetAndDestroy();
  }
  await expect.poll(() => told.length).toBe(1);
  return told;
}

describe('cutOffBy', () => {
  it('knows the error of a source that fails', async () => {
    const failure = new Error('the source failed');
    const source = async function* (): AsyncGenerator<string> {
      yield 'half of ';
      throw failure;
    };
    expect(await cutOffs((_req, res) => pipeline(source, res, () => undefined))).toEqual([failure]);
  });

  it('knows nothing where the client went away, and where the answer is whole', async () => {
    const endless = new Readable({ read: () => undefined });
    endless.push('half of ');
    expect(await cutOffs((_req, res) => pipeline(endless, res, () => undefined), true)).toEqual([undefined]);
    expect(await cutOffs((_req, res) => res.end('whole'))).toEqual([undefined]);
  });
});
