import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { proxy } from '@signalbox/gateway';
import { realtime } from '@signalbox/realtime';
import { expect, it, onTestFinished } from 'vitest';

it.each(['the proxy', 'sockets'])(
  'where %s came first, upgrades that are nobody’s are served as any request',
  async (first) => {
    const server = createServer((_req, res) => res.end('the app')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const shop = proxy({ to: 'http://127.0.0.1:1', retries: 0 });
    if (first === 'the proxy') shop.attach(server, { path: '/shop' });
    const live = realtime(server, { anonymous: true });
    if (first !== 'the proxy') shop.attach(server, { path: '/shop' });
    onTestFinished(async () => {
      await Promise.all([live.close(), shop.close()]);
      server.close();
    });

    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const fields = 'Connection: Upgrade, close\r\nUpgrade: websocket\r\n';
    socket.write(`GET /other HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*the app$/);
  },
);
