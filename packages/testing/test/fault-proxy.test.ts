import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { faultProxy, freePort, listen, waitUntil, type FaultProxy } from '../src/index.js';

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
  const proxy = await faultProxy({ to: echo.port });
  clearUp.push(echo.close);
  return proxy;
}

/** Long enough for what must not arrive to have arrived. */
const silence = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('faultProxy', () => {
  it('passes bytes both ways and counts them', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    expect(await client.ask('hello')).toBe('hello');
    expect(await client.ask('again')).toBe('again');
    expect(proxy.counts).toEqual({
      connections: 1,
      open: 1,
      bytesUp: 10,
      bytesDown: 10,
      bytesLost: 0,
      roundTrips: 2,
    });
    proxy.resetCounts();
    expect(proxy.counts).toEqual({
      connections: 0,
      open: 1,
      bytesUp: 0,
      bytesDown: 0,
      bytesLost: 0,
      roundTrips: 0,
    });
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

  it('loses for good what is sent into the black hole, and keeps silent on that connection', async () => {
    const proxy = await echoBehindProxy();
    const victim = await openClient(proxy.port);
    const quiet = await openClient(proxy.port);
    await proxy.blackhole();
    victim.send('lost');
    const late = await openClient(proxy.port);
    expect(await waitUntil(() => proxy.counts.bytesLost === 4)).toBe(true);
    await proxy.pass();
    victim.send('too late');
    expect(await quiet.ask('kept')).toBe('kept');
    expect(await late.ask('made meanwhile')).toBe('made meanwhile');
    await silence(30);
    expect(victim.received()).toBe('');

    // Its client notices, and goes; the server is rid of it, too.
    victim.socket.end();
    await victim.closed;
    expect(await waitUntil(() => proxy.counts.open === 2)).toBe(true);
  });

  it('loses what was under way when the black hole opens', async () => {
    const proxy = await echoBehindProxy();
    const client = await openClient(proxy.port);
    await proxy.delay(60_000);
    client.send('under way');
    expect(await waitUntil(() => proxy.counts.bytesDown === 9)).toBe(true);
    await proxy.blackhole();
    expect(proxy.counts.bytesLost).toBe(9);
    await proxy.pass();
    client.send('more');
    await silence(30);
    expect(client.received()).toBe('');
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
    const proxy = await faultProxy({ to: `http://127.0.0.1:${await freePort()}` });
    const client = await openClient(proxy.port);
    expect(await client.closed).toBe('ECONNRESET');
  });

  it('takes one change after the other, in the order in which they were asked for', async () => {
    const proxy = await echoBehindProxy();
    for (let round = 0; round < 5; round++) {
      await Promise.all([
        proxy.refuse(),
        proxy.pass(),
        proxy.reset(),
        proxy.refuse(),
        proxy.delay(1),
        proxy.pass(),
      ]);
      expect(await (await openClient(proxy.port)).ask('fine')).toBe('fine');
    }
  });

  it.each([(port: number) => port, (port: number) => ({ host: 'localhost', port })])(
    'takes a port, or a host and a port',
    async (toOf) => {
      const port = Number(new URL(await listen((_req, res) => res.end('here'))).port);
      const proxy = await faultProxy({ to: toOf(port) });
      expect(await (await fetch(`http://${proxy.address}`)).text()).toBe('here');
    },
  );

  let previous: FaultProxy;

  it('is open while the test runs', async () => {
    previous = await faultProxy({ to: await listen((_req, res) => res.end('here')) });
    expect((await fetch(`http://${previous.address}`)).status).toBe(200);
  });

  it('is closed when the test has ended, and stays so', async () => {
    expect(await (await openClient(previous.port)).closed).toBe('ECONNREFUSED');
    await previous.close();
    await expect(previous.pass()).rejects.toThrow('faultProxy: it is closed');
  });

  it.each([0, 65_536, 1.5, 'localhost:80', 'smtp://localhost', '', {}, { host: 'a' }, null, undefined])(
    'refuses %j as an address',
    async (to) => {
      // @ts-expect-error: what a caller without types may pass
      await expect(faultProxy({ to })).rejects.toThrow(
        'faultProxy: "to" must be a port, a host and a port, or a URL with both, got',
      );
    },
  );

  it('refuses options that it does not know, and delays and rates that are none', async () => {
    // @ts-expect-error: what a caller without types may pass
    await expect(faultProxy({ target: 80 })).rejects.toThrow(
      'faultProxy: there is no option "target"; there are to',
    );
    const proxy = await echoBehindProxy();
    await expect(proxy.delay(-1)).rejects.toThrow('faultProxy: delay() needs "ms" of at least 0, got -1');
    await expect(proxy.throttle(0)).rejects.toThrow(
      'faultProxy: throttle() needs "bytesPerSecond" of at least 1, got 0',
    );
  });
});
