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

const WEBSOCKET = 'Upgrade: websocket\r\n';

function asking(server: Server, path: string, lines = WEBSOCKET): Socket {
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
  };
}

it('each request to upgrade comes to whose it is, and what is nobody’s is served as any request', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  takeUpgrades(server, taker('/b'));
  takeUpgrades(server, taker('/a/inner'));
  expect(await answerTo(server, '/b/x')).toBe('taken by /b');
  expect(await answerTo(server, '/a/inner')).toBe('taken by /a');
  expect(await answerTo(server, '/c', `Connection: close\r\n${WEBSOCKET}`)).toMatch(
    / 200 OK\r\n[^]*no upgrade$/,
  );
});

it('who has left takes no more, and where nobody is left the server is as it was', async () => {
  const server = await listening();
  const ends = ['/a', '/b'].map((path) => takeUpgrades(server, taker(path)));
  ends[0]?.();
  expect(await answerTo(server, '/a', `Connection: close\r\n${WEBSOCKET}`)).toMatch(/no upgrade$/);
  ends[1]?.();
  expect(server.listenerCount('upgrade')).toBe(0);
  takeUpgrades(server, taker('/b'));
  expect(await answerTo(server, '/b')).toBe('taken by /b');
});

const OFFER = 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';

it('serves who offers another protocol than WebSocket as if he had not, also where that is somebody’s', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  let closed = 0;
  server.on('request', (_req, res) => void res.on('close', () => (closed += 1)));
  for (const path of ['/c', '/a']) {
    const answer = await answerTo(server, path, `Connection: close\r\n${OFFER}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nno upgrade$/);
  }
  expect(closed).toBe(2);
});

it('serves it with its body, and what follows on its connection', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  server.removeAllListeners('request');
  server.on('request', async (req: IncomingMessage, res: ServerResponse) => {
    res.end(`${req.method} ${req.url} has ${(await text(req)).length}\n`);
  });
  const socket = asking(server, '/first', OFFER);
  let answers = '';
  socket.on('data', (chunk) => void (answers += chunk.toString()));
  const head = `HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n${OFFER}`;
  const answered = async (answer: string): Promise<void> => {
    while (!answers.includes(answer)) await once(socket, 'data');
  };
  await answered('GET /first has 0');
  socket.write(`POST /a/long ${head}Content-Length: 5000000\r\n\r\nbegin`);
  socket.write('x'.repeat(4_999_995));
  await answered('POST /a/long has 5000000');
  socket.write(`POST /chunked ${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  socket.write('0\r\n\r\n');
  await answered('POST /chunked has 3');
  socket.write('GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await answered('taken by /a');
});

it('closes a connection where the answer to a request before it has yet to come', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  server.removeAllListeners('request');
  server.on('request', () => undefined);
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const request = 'HTTP/1.1\r\nHost: a\r\n';
  socket.write(`GET /slow ${request}\r\nGET /c ${request}Connection: Upgrade\r\n${OFFER}\r\n`);
  expect(await text(socket)).toBe('');
});

it('refuses what has more fields than Node keeps, and closes: the last may have told of a body', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  const seen: unknown[] = [];
  server.on('request', ({ url }: IncomingMessage) => void seen.push(url));
  for (const count of [7, undefined]) {
    Object.assign(server, { maxHeadersCount: count ?? null });
    const body = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n';
    const many = `${OFFER}${'a:\r\n'.repeat(count === undefined ? 1_100 : 40)}`;
    const socket = asking(server, '/c', `${many}Content-Length: ${body.length}\r\n`);
    socket.write(body);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 431 [^]*Connection: close\r\n/i);
  }
  expect(seen).toEqual([]);
});

it('serves it whole, to a slow client, too, and hears when that leaves', async () => {
  const server = await listening();
  takeUpgrades(server, taker('/a'));
  server.removeAllListeners('request');
  server.once('request', (_req, res) => {
    res.write('x'.repeat(8_000_000));
    res.on('drain', () => res.end('end'));
  });
  const slow = asking(server, '/c', `Connection: close\r\n${OFFER}`);
  await once(slow, 'readable');
  expect((await text(slow)).endsWith('end\r\n0\r\n\r\n')).toBe(true);

  const leaving = asking(server, '/c', OFFER);
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
