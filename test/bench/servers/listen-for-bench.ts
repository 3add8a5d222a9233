import type { Server } from 'node:http';

/** Listens on `HOST` and `PORT`, says so with one line, and ends on SIGTERM. */
export function listenForBench(
  listen: (options: { host: string; port: number }, listening: () => void) => Server,
): void {
  const host = process.env.HOST ?? '127.0.0.1';
  const port = Number(process.env.PORT ?? 0);
  const server = listen({ host, port }, () => {
    const address = server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    process.stderr.write(`listening on http://${host}:${bound}\n`);
  });
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
