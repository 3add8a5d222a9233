/**
 * A process of its own that sends one request over and over on kept-alive connections, each as soon as the one
 * before is answered: `node proxy-load.js URL SECONDS CONNECTIONS METHOD BODY_BYTES [REQUESTS]`, for so many seconds or, where
 * that is sooner, so many requests. Prints one line of JSON.
 *
 * It reads and writes sockets and understands no more HTTP than it needs, so that the machine is left to the proxy:
 * a proxy answers as often as a client of Node can ask.
 */
import { connect, type Socket } from 'node:net';

const [
  target = '',
  seconds = '2',
  connections = '64',
  method = 'GET',
  bodyBytes = '0',
  requests = 'Infinity',
] = process.argv.slice(2);
const most = Number(requests);
const url = new URL(target);
const request = Buffer.from(requestText());
const counts = { requests: 0, errors: 0, bodyBytes: 0 };
const statuses = new Set<string>();
const latenciesMs: number[] = [];

/** About what a browser's request looks like. */
function requestText(): string {
  const length = Number(bodyBytes);
  const fields = [
    `${method} ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36',
    'Accept: application/json',
    'Accept-Language: en-GB,en;q=0.9',
    'Accept-Encoding: gzip, deflate, br',
    'Cookie: theme=dark; visitor=3f0c9a52b1',
    ...(length > 0 ? ['Content-Type: application/octet-stream', `Content-Length: ${length}`] : []),
  ];
  return `${fields.join('\r\n')}\r\n\r\n${'x'.repeat(length)}`;
}

/** One client: at most one request under way. */
class Client {
  private readonly socket: Socket;
  private head = '';
  /** Bytes of the body still to come; `undefined` while the header section is read. */
  private left: number | undefined = undefined;
  private askedAt = 0;
  private isOver = false;

  constructor() {
    this.socket = connect(Number(url.port), url.hostname).setNoDelay(true);
    this.socket.on('connect', () => this.ask());
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
    this.socket.on('error', () => this.fail());
    this.socket.on('close', () => this.fail());
  }

  stop(): void {
    this.isOver = true;
    this.socket.destroy();
  }

  private ask(): void {
    this.askedAt = performance.now();
    this.socket.write(request);
  }

  private read(chunk: Buffer): void {
    let bytes = chunk.length;
    if (this.left === undefined) {
      this.head += chunk.toString('latin1');
      const end = this.head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.head);
      statuses.add(this.head.slice(9, 12));
      // Every answer of the origin has one, and a proxy has no reason to take it away.
      if (length === null) return this.fail();
      this.left = Number(length[1]);
      bytes = this.head.length - end - 4;
      this.head = '';
    }
    this.left -= bytes;
    counts.bodyBytes += bytes;
    if (this.left < 0) return this.fail();
    if (this.left > 0) return;
    this.left = undefined;
    counts.requests += 1;
    latenciesMs.push(performance.now() - this.askedAt);
    if (counts.requests >= most) finish();
    if (!this.isOver) this.ask();
  }

  private fail(): void {
    if (!this.isOver) counts.errors += 1;
    this.stop();
  }
}

let finish: () => void = () => undefined;
const isOver = new Promise<void>((resolve) => {
  finish = resolve;
});
const clients = Array.from({ length: Number(connections) }, () => new Client());
const startedAt = performance.now();
const timer = setTimeout(() => finish(), Number(seconds) * 1_000);
await isOver;
clearTimeout(timer);
const tookSeconds = (performance.now() - startedAt) / 1_000;
for (const client of clients) client.stop();

const sorted = latenciesMs.toSorted((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({
    requests: counts.requests,
    perSecond: counts.requests / tookSeconds,
    bodyBytes: counts.bodyBytes,
    p50Ms: sorted[Math.floor(sorted.length / 2)],
    p99Ms: sorted[Math.floor(sorted.length * 0.99)],
    errors: counts.errors,
    statuses: [...statuses],
  })}\n`,
);
