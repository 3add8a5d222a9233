import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { balancer, startNginx } from '../support/nginx.js';
import { startProgram } from '../support/program.js';
import { startRedis } from '../support/redis.js';

const PROGRAM = fileURLToPath(new URL('../dist/conformance/realtime-suite.js', import.meta.url));

async function startSuiteServer(...args: string[]): Promise<string> {
  const program = await startProgram(process.execPath, [PROGRAM, '--port', '0', ...args], {
    name: 'realtime-suite',
    ready: /listening on http/,
  });
  onTestFinished(async () => void (await program.stop()));
  return /http:\S+/.exec(program.stdout())?.[0] ?? '';
}

/** What both suites rely on, in short; they themselves are fetched and run by hand. */
async function expectToEcho(url: string): Promise<void> {
  const engine = `${url}/engine.io/?EIO=4&transport=polling`;
  const handshake = JSON.parse((await (await fetch(engine)).text()).slice(1)) as Record<string, unknown>;
  expect(handshake).toMatchObject({ pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 });
  const session = `${engine}&sid=${String(handshake['sid'])}`;
  await fetch(session, { method: 'POST', body: '4hello\x1ebAQIDBA==' });
  expect(await (await fetch(session)).text()).toBe('4hello\x1ebAQIDBA==');

  const socket = io(`${url}/custom`, { transports: ['websocket'], auth: { token: 'abc' }, forceNew: true });
  onTestFinished(() => void socket.disconnect());
  expect(await new Promise((resolve) => socket.once('auth', resolve))).toEqual({ token: 'abc' });
  const main = io(url, { transports: ['polling', 'websocket'], forceNew: true });
  onTestFinished(() => void main.disconnect());
  expect(await main.timeout(5_000).emitWithAck('message-with-ack', 1)).toBe(1);
}

it('serves what the suites of the protocols ask for, alone', async () => {
  await expectToEcho(await startSuiteServer());
});

it('serves it as two processes behind nginx', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const urls = await Promise.all([
    startSuiteServer('--redis', redis.url),
    startSuiteServer('--redis', redis.url),
  ]);
  const nginx = await startNginx(({ port }) => balancer(urls, port));
  onTestFinished(() => nginx.stop());
  await expectToEcho(nginx.url);
});

it('says what is wrong with its arguments', async () => {
  const program = await startProgram(process.execPath, [PROGRAM, '--port', 'x'], { name: 'realtime-suite' });
  expect(await program.exited).toMatchObject({ code: 2 });
  expect(program.stderr()).toBe('realtime-suite: "--port" must be a number from 0 to 65535\n');
});
