import { EventEmitter, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { requestContext, runInContext } from '@signalbox/context';
import { listen } from '@signalbox/testing';
import express from 'express';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createLogger, log, requestLogger } from '../src/index.js';
import { isRequestLine, recorder, type Recorder } from './recorder.js';

let root: Recorder;

beforeEach(() => {
  root = recorder();
  const logger = createLogger({ destination: root, root: true });
  onTestFinished(() => logger.close());
});

describe('log()', () => {
  it('is the logger of the running request, anywhere below it', async () => {
    async function search(): Promise<void> {
      await nextTurn();
      log().info('deep below');
    }
    const app = express().use(requestContext(), requestLogger());
    app.post('/', express.json(), async (_req, res) => {
      await search();
      res.end();
    });
    const response = await fetch(await listen(app), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    await root.line(isRequestLine);

    expect(root.lines[0]).toMatchObject({ msg: 'deep below', reqId: response.headers.get('x-request-id') });
  });

  it('keeps requests that run at the same time apart', async () => {
    const app = express().use(requestContext(), requestLogger());
    const all = new EventEmitter().setMaxListeners(20);
    let arrived = 0;
    app.get('/:number', async (req, res) => {
      arrived += 1;
      if (arrived < 20) await once(all, 'there');
      else all.emit('there');
      log().info({ number: Number(req.params.number) });
      res.end();
    });
    const url = await listen(app);
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, number) =>
        (await fetch(`${url}/${number}`)).headers.get('x-request-id'),
      ),
    );
    for (const [number, reqId] of ids.entries()) {
      expect(await root.line((line) => line['number'] === number)).toMatchObject({ reqId });
    }
  });

  it('carries the id and the trace of a job or socket event', () => {
    runInContext(
      { id: 'job-7', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      () => {
        log().info('first');
        log().info('second');
      },
    );
    const carried = { reqId: 'job-7', traceId: '0af7651916cd43dd8448eb211c80319c' };
    expect(root.lines).toMatchObject([carried, carried]);
  });

  it('is the root logger where nothing is running', () => {
    log().info('starting');
    expect(root.lines[0]).toMatchObject({ msg: 'starting' });
    expect(root.lines[0]).not.toHaveProperty('reqId');
  });
});
