/**
 * The program that is reloaded: one route, and connections that stay open after an upgrade, without a protocol of their
 * own. It drains by `serve()`, or with `DRAIN=close` as the documentation of pm2 shows it: `server.close()`, then exit.
 */
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { serve } from '@signalbox/server';
import express from 'express';

const app = express();
app.get('/', (_req, res) => {
  setTimeout(() => res.json({ pid: process.pid, filler: 'x'.repeat(500) }), Math.random() * 10);
});

const open = new Set<Duplex>();
let isLeaving = false;

function takeUpgrades(server: Server): void {
  server.on('upgrade', (_req, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: bench\r\nConnection: Upgrade\r\n\r\n');
    open.add(socket);
    // One that was on its way when the others were sent away.
    if (isLeaving) socket.end();
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('close', () => open.delete(socket));
  });
}

/** In slices, so that not all come back at once. */
function endUpgraded(): void {
  isLeaving = true;
  for (const socket of open) setTimeout(() => socket.end(), Math.random() * 500);
}

const port = Number(process.env['PORT']);
if (process.env['DRAIN'] === 'close') {
  const server = app.listen(port, '127.0.0.1', () => process.send?.('ready'));
  takeUpgrades(server);
  process.once('SIGINT', () => {
    server.close(() => process.exit(0));
    endUpgraded();
  });
} else {
  const running = await serve(app, { port, attach: takeUpgrades });
  running.draining.addEventListener('abort', endUpgraded);
  // pm2 waits for it; the process manager does not need it.
  process.send?.('ready');
}
