import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startFaultProxy, type FaultProxy } from './fault-proxy.js';
import { waitUntil } from './program.js';

/** A server that sends back what it gets. */
async function echoServer(): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A client that asks and waits until it hears the same. */
async function openClient(port: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let received = '';
  let failure: string | undefined;
  let wake = (): void => {};
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
    wake();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => (failure = error.code));
  const closed = new Promise<string | undefined>((resolve) => socket.once('close', () => resolve(failure)));
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return {
    socket,
    closed,
    received: () => received,
    send: (text: string) => void socket.write(text),
    async ask(text: string) {
      socket.write(text);
      while (!received.endsWith(text)) await new Promise<void>((resolve) => (wake = resolve));
      return text;
    },
  };
}

const clearUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of clearUp.splice(0)) await step();
});

async function echoBehindProxy(): Promise<FaultProxy> {
  const echo = await echoServer();
  const proxy = await startFaultProxy({ to: echo.port });
  clearUp.push(() => proxy.stop(), echo.close);
  return proxy;
}

/** Long enough for what must not arrive to have arrived. */
const silence = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('startFaultProxy', () => {
  it('passes bytes both ways and counts them', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    expect(await client.ask('hello')).toBe('hello');
    expect(await client.ask('again')).toBe('again');
    expect(proxy.counts).toEqual({ connections: 1, open: 1, bytesUp: 10, bytesDown: 10, roundTrips: 2 });
    proxy.resetCounts();
    expect(proxy.counts).toEqual({ connections: 0, open: 1, bytesUp: 0, bytesDown: 0, roundTrips: 0 });
  });

  it('counts questions that are sent in one write as one round trip', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    client.socket.cork();
    client.send('one ');
    client.send('two ');
    client.socket.uncork();
    await waitUntil(() => client.received() === 'one two ');
    expect(proxy.counts.roundTrips).toBe(1);
  });

  it('carries megabytes intact, with and without a delay', async () => {
    const proxy = await echoBehindProxy();
    const text = Array.from({ length: 200_000 }, (_, i) => `${i}\n`).join('');
    expect((await (await openClient(proxy.port)).ask(text)) === text).toBe(true);
    await proxy.delay(5);
    expect((await (await openClient(proxy.port)).ask(text)) === text).toBe(true);
  });

  it('answers a client that has ended its side', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    client.socket.end('last words');
    expect(await client.closed).toBeUndefined();
    expect(client.received()).toBe('last words');
  });

  it('delays each answer, and keeps the order when the delay ends', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    await client.ask('warm');
    await proxy.delay(50);
    const started = performance.now();
    await client.ask('slow');
    expect(performance.now() - started).toBeGreaterThanOrEqual(49);

    await proxy.delay(60_000);
    client.send('one ');
    await silence(30);
    expect(client.received()).toBe('warmslow');
    await proxy.pass();
    await client.ask('two');
    expect(client.received()).toBe('warmslowone two');
  });

  it('holds everything while partitioned, and delivers it afterwards', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    await client.ask('before ');
    await proxy.partition();
    client.send('during ');
    const late = await openClient(proxy.port);
    late.send('late');
    await silence(50);
    expect(client.received()).toBe('before ');
    await proxy.pass();
    await client.ask('after');
    expect(client.received()).toBe('before during after');
    expect(await late.ask('r')).toBe('r');
    expect(late.received()).toBe('later');
  });

  it('loses for good what is sent into the black hole', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    await proxy.blackhole();
    client.send('lost');
    await silence(30);
    await proxy.pass();
    expect(await client.ask('kept')).toBe('kept');
    expect(client.received()).toBe('kept');
  });

  it('refuses connections and resets open ones, until it passes again on the same port', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    await client.ask('x');
    await proxy.refuse();
    expect(await client.closed).toBe('ECONNRESET');
    expect(await (await openClient(proxy.port)).closed).toBe('ECONNREFUSED');
    expect(proxy.counts.open).toBe(0);
    await proxy.pass();
    expect(await (await openClient(proxy.port)).ask('back')).toBe('back');
  });

  it('resets connections as soon as they are made', async () => {
    const proxy = await echoBehindProxy();
    await proxy.reset();
    const client = await openClient(proxy.port);
    client.send('x');
    expect(await client.closed).toBe('ECONNRESET');
  });

  it('throttles to a rate', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    await proxy.throttle(10_000);
    const started = performance.now();
    await client.ask('x'.repeat(2_000));
    // 200 ms up; the way down overlaps with it.
    expect(performance.now() - started).toBeGreaterThanOrEqual(190);
  });

  it('resets the client when there is no server behind it', async () => {
    const echo = await echoServer();
    echo.close();
    const proxy = await startFaultProxy({ to: `http://127.0.0.1:${echo.port}` });
    clearUp.push(() => proxy.stop());
    const client = await openClient(proxy.port);
    expect(await client.closed).toBe('ECONNRESET');
    await proxy.stop();
  });
});
