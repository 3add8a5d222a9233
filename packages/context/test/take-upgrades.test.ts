import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { takeUpgrades, type UpgradeTaker } from '../src/index.js';

async function listening(): Promise<Server> {
  const server = createServer((_req, res) => res.end('no upgrade'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

function asking(server: Server, path: string, lines = 'Upgrade: websocket\r\n'): Socket {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n${lines}\r\n`);
  return socket;
}

/** All that the server says, until it closes. */
function answerTo(server: Server, path: string, lines?: string): Promise<string> {
  return text(asking(server, path, lines));
}

function taker(path: string): UpgradeTaker {
  return {
    owns: ({ url = '' }) => url.startsWith(path),
    take: (_req, socket) => void socket.end(`taken by ${path}`),
    refuse: (_req, socket) => void socket.end(`refused by ${path}`),
  };
}

it('each request to upgrade comes to whose it is, and what is nobody’s is refused once', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  takeUpgrades(server, taker('/b'));
  takeUpgrades(server, taker('/a/inner'));
  expect(await answerTo(server, '/b/x')).toBe('taken by /b');
  expect(await answerTo(server, '/a/inner')).toBe('taken by /a');
  expect(await answerTo(server, '/c')).toBe('refused by /a');
});

it('who has left takes no more, and where nobody is left the server is as it was', async () => {
  const server = await listening();
  const ends = ['/a', '/b'].map((path) => takeUpgrades(server, taker(path)));
  ends[0]?.();
  expect(await answerTo(server, '/a')).toBe('refused by /b');
  ends[1]?.();
  expect(server.listenerCount('upgrade')).toBe(0);
  takeUpgrades(server, taker('/b'));
  expect(await answerTo(server, '/b')).toBe('taken by /b');
});

it('serves who offers another protocol than WebSocket as if he had not, also where that is somebody’s', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  let closed = 0;
  server.on('request', (_req, res) => void res.on('close', () => (closed += 1)));
  const h2c = 'Upgrade: h2c\r\n';
  const answer = await answerTo(server, '/c', h2c);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*\r\n\r\nno upgrade$/);
  expect(closed).toBe(1);
  expect(await answerTo(server, '/a', h2c)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nno upgrade$/);
  for (const body of ['Content-Length: 2\r\n', 'Transfer-Encoding: chunked\r\n']) {
    expect(await answerTo(server, '/c', h2c + body)).toBe('refused by /a');
    expect(await answerTo(server, '/a', h2c + body)).toBe('taken by /a');
  }
});

it('serves it whole, to a slow client, too, and hears when that leaves', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  server.removeAllListeners('request');
  server.once('request', (_req, res) => {
    res.write('x'.repeat(8_000_000));
    res.on('drain', () => res.end('end'));
  });
  const slow = asking(server, '/c', 'Upgrade: h2c\r\n');
  await once(slow, 'readable');
  expect((await text(slow)).endsWith('end\r\n0\r\n\r\n')).toBe(true);

  const leaving = asking(server, '/c', 'Upgrade: h2c\r\n');
  const [, res] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  leaving.destroy();
  await once(res, 'close');
});

it('is left to others who listen, too', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  server.on('upgrade', (req, socket) => {
    if (req.url === '/theirs') socket.end('taken by them');
  });
  expect(await answerTo(server, '/theirs')).toBe('taken by them');
  const nobodys = asking(server, '/c');
  expect(await answerTo(server, '/a')).toBe('taken by /a');
  expect(nobodys.destroyed).toBe(false);
});
