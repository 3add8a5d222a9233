import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough, pipeline } from 'node:stream';
import { deadline, requestContext } from '@signalbox/context';
import { errorHandler, HttpError } from '@signalbox/errors';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rawConnection, serveHere } from './support.js';

/** Told when a client has the first half: Node takes a reset for an end where it comes together with bytes. */
const clients = new EventEmitter();

const app = express();
app.use(requestContext());
app.get('/whole', (_req, res) => {
  clients.once('has half', () => res.end('second half'));
  res.write('first half, ');
});
app.get('/fails', (_req, res, next) => {
  const error = new HttpError(500, 'the second half could not be made');
  clients.once('has half', () => next(error));
  res.write('first half, ');
});
app.get('/source-fails', (_req, res) => {
  const source = new PassThrough();
  pipeline(source, res, () => undefined);
  clients.once('has half', () => source.destroy(new Error('the source is gone')));
  source.write('first half, ');
});
app.get('/late', deadline(100), (_req, res) => void res.write('first half, '));
app.get('/endless', (_req, res) => void res.write('first half, '));
app.use(errorHandler());

/** What arrives in answer to a request by HTTP/1.0, where the end of the connection is all that tells the end. */
async function ask(url: string, path: string, fields = ''): Promise<{ text: string; wasReset: boolean }> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let text = '';
  let wasReset = false;
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.includes('first half')) clients.emit('has half');
  });
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    wasReset = code === 'ECONNRESET';
  });
  socket.write(`GET ${path} HTTP/1.0\r\nHost: x\r\n${fields}\r\n`);
  await new Promise((resolve) => {
    socket.once('close', resolve);
  });
  return { text, wasReset };
}

describe('an answer of unknown length to HTTP/1.0', () => {
  it('ends with the connection where it is whole', async () => {
    const { url } = await serveHere(app);
    for (const fields of ['', 'Connection: keep-alive\r\n']) {
      const { text, wasReset } = await ask(url, '/whole', fields);
      expect(text).toContain('first half, second half');
      expect(wasReset).toBe(false);
    }
  });

  it.each(['/fails', '/source-fails', '/late'])(
    'does not look whole where it is cut off: %s',
    async (path) => {
      const { url } = await serveHere(app);
      expect((await ask(url, path)).wasReset).toBe(true);
    },
  );

  it('does not look whole where the server has to abandon it', async () => {
    const running = await serveHere(app);
    const begun = once(clients, 'has half');
    const asked = ask(running.url, '/endless');
    await begun;
    const { abandonedRequests } = await running.close({ withinMs: 300 });
    expect(abandonedRequests).toBe(1);
    expect((await asked).wasReset).toBe(true);
  });

  it('lacks its last chunk where HTTP/1.1 was asked for', async () => {
    const { url } = await serveHere(app);
    const connection = await rawConnection(url);
    connection.socket.once('data', () => clients.emit('has half'));
    connection.socket.write('GET /fails HTTP/1.1\r\nHost: x\r\n\r\n');
    const { text } = await connection.ended();
    expect(text).toMatch(/first half, \r\n$/);
  });
});
