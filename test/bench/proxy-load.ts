/**
 * A process of its own that sends one request over and over on kept-alive connections, each as soon as the one
 * before is answered: `node proxy-load.js JSON`, JSON being a {@link ProxyLoad}. Prints a {@link ProxyLoadResult}.
 *
 * It reads and writes sockets and understands no more HTTP than it needs, so that the machine is left to the proxy:
 * a proxy answers as often as a client of Node can ask.
 */
import { connect, type Socket } from 'node:net';
import { processCpuMicroseconds } from './process-cpu.js';

export interface ProxyLoad {
  url: string;
  method: string;
  bodyBytes: number;
  connections: number;
  /** Requests that are not counted: V8 makes machine code meanwhile, and connections are made. */
  first: number;
  /** How long it counts afterwards. */
  seconds: number;
  /** The proxy's process. */
  pid: number;
}

export interface ProxyLoadResult {
  requests: number;
  perSecond: number;
  cpuMicroseconds: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
  statuses: string[];
}

const load = JSON.parse(process.argv[2] ?? '{}') as ProxyLoad;
const url = new URL(load.url);
const request = Buffer.from(requestText());
const statuses = new Set<string>();
let asked = 0;
let errors = 0;
let latenciesMs: number[] = [];
let startedAt = 0;
let cpuAtStart = 0;

/** About what a browser's request looks like. */
function requestText(): string {
  const { method, bodyBytes } = load;
  const fields = [
    `${method} ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36',
    'Accept: application/json',
    'Accept-Language: en-GB,en;q=0.9',
    'Accept-Encoding: gzip, deflate, br',
    'Cookie: theme=dark; visitor=3f0c9a52b1',
    ...(bodyBytes > 0 ? ['Content-Type: application/octet-stream', `Content-Length: ${bodyBytes}`] : []),
  ];
  return `${fields.join('\r\n')}\r\n\r\n${'x'.repeat(bodyBytes)}`;
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
    if (this.left < 0) return this.fail();
    if (this.left > 0) return;
    this.left = undefined;
    latenciesMs.push(performance.now() - this.askedAt);
    asked += 1;
    if (asked === load.first) beginToCount();
    if (!this.isOver) this.ask();
  }

  private fail(): void {
    if (!this.isOver) errors += 1;
    this.stop();
  }
}

function beginToCount(): void {
  latenciesMs = [];
  startedAt = performance.now();
  cpuAtStart = processCpuMicroseconds(load.pid);
  setTimeout(report, load.seconds * 1_000);
}

function report(): void {
  const tookMs = performance.now() - startedAt;
  const cpuMicroseconds = (processCpuMicroseconds(load.pid) - cpuAtStart) / latenciesMs.length;
  for (const client of clients) client.stop();
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const result: ProxyLoadResult = {
    requests: sorted.length,
    perSecond: (sorted.length / tookMs) * 1_000,
    cpuMicroseconds,
    p50Ms: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    errors,
    statuses: [...statuses],
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

const clients = Array.from({ length: load.connections }, () => new Client());
