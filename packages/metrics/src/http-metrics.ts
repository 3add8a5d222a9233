import type { Socket } from 'node:net';
import { cutOffBy, onceOver, routeTemplate } from '@signalbox/context';
import type { Request, Response } from 'express';
import { Gauge, type Registry } from 'prom-client';
import { showCounter, showHistogram } from './instruments.js';
import { series, type Cell, type Series } from './series.js';
import { tally, type Tally } from './tally.js';

export interface HttpMetricsOptions {
  registry: Registry;
  /** Upper bounds of the duration's buckets, in seconds. */
  buckets: readonly number[];
  /** Upper bounds of the sizes' buckets, in bytes. */
  sizeBuckets: readonly number[];
  maxSeries: number;
}

export interface HttpMetrics {
  /** Measures the request from now until its response is closed. A second call for it changes nothing. */
  follow(req: Request, res: Response): void;
}

/** RFC 9110 section 9.3 and RFC 5789. Node's parser takes twenty more, and the choice is the client's. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
]);

/** The method as a label: one of the known ones, or `OTHER`. */
export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : 'OTHER';
}

/** Responses without content, whatever length they announce (RFC 9110 sections 8.6 and 6.4.1). */
const BARE: ReadonlySet<number> = new Set([204, 304]);

/** One label set. All four metrics have the same, so that a request looks it up once. */
interface HttpCell extends Cell {
  requests: number;
  readonly seconds: Tally;
  readonly received: Tally;
  readonly sent: Tally;
}

/**
 * A request in flight, and what the connection had carried before it. A class: what a literal makes, V8 may take for
 * long-lived, and a request that only such an object remembers would live as long.
 */
class Exchange {
  readonly startedMs: number = performance.now();
  readonly bytesRead: number;
  readonly bytesWritten: number;

  constructor(
    readonly req: Request,
    readonly res: Response,
    readonly socket: Socket,
  ) {
    this.bytesRead = socket.bytesRead;
    this.bytesWritten = socket.bytesWritten;
  }
}

/** Registers the metrics of HTTP requests, and follows requests to count them. */
export function httpMetrics(options: HttpMetricsOptions): HttpMetrics {
  const answered = answeredRequests(options);
  // Not a property of the response: on Node 20 and 22 a write to Express' responses costs ten times as much.
  const followed = new WeakSet<Response>();
  let inFlight = 0;
  showInFlight(options.registry, () => inFlight);

  function count(exchange: Exchange): void {
    inFlight -= 1;
    const { req, res } = exchange;
    const { method } = req;
    const finished = res.writableFinished;
    const status = finished ? res.statusCode : cutOffStatus(exchange);
    const cell = answered.of(methodLabel(method), routeTemplate(req) ?? 'unmatched', status);
    cell.requests += 1;
    cell.seconds.add((performance.now() - exchange.startedMs) / 1000);
    cell.received.add(bytesReceived(exchange));
    cell.sent.add(method === 'HEAD' || BARE.has(status) ? 0 : bytesSent(exchange, finished));
  }

  return {
    follow(req, res) {
      if (followed.has(res)) return;
      followed.add(res);
      const exchange = new Exchange(req, res, req.socket);
      inFlight += 1;
      onceOver(req, res, () => count(exchange));
    },
  };
}

function answeredRequests({
  registry,
  buckets,
  sizeBuckets,
  maxSeries,
}: HttpMetricsOptions): Series<HttpCell> {
  const labelNames = ['method', 'route', 'status'];
  const answered = series<HttpCell>({
    metrics: [
      'http_requests_total',
      'http_request_duration_seconds',
      'http_request_size_bytes',
      'http_response_size_bytes',
    ],
    labelNames,
    maxSeries,
    makeCell: (labels) => ({
      labels,
      requests: 0,
      seconds: tally(buckets),
      received: tally(sizeBuckets),
      sent: tally(sizeBuckets),
    }),
  });
  const shared = { registry, labelNames, cells: answered.cells };

  showCounter(
    { ...shared, name: 'http_requests_total', help: 'Requests answered or aborted.' },
    (cell) => cell.requests,
  );
  showHistogram(
    {
      ...shared,
      name: 'http_request_duration_seconds',
      help: 'Time from the arrival of a request until its response was sent.',
    },
    buckets,
    (cell) => cell.seconds,
  );
  showHistogram(
    { ...shared, name: 'http_request_size_bytes', help: 'Size of the content of requests.' },
    sizeBuckets,
    (cell) => cell.received,
  );
  showHistogram(
    { ...shared, name: 'http_response_size_bytes', help: 'Size of the content of responses.' },
    sizeBuckets,
    (cell) => cell.sent,
  );
  return answered;
}

function showInFlight(registry: Registry, read: () => number): Gauge {
  return new Gauge({
    name: 'http_requests_in_flight',
    help: 'Requests that are being answered.',
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** 499, as nginx has it, when the client left early; 500 when the response was cut off by an error of ours. */
function cutOffStatus({ res, socket }: Exchange): number {
  return cutOffBy(res, socket) === undefined ? 499 : 500;
}

/** The content's length as announced; for chunked content, what came over the connection meanwhile. */
function bytesReceived({ req, socket, bytesRead }: Exchange): number {
  const { headers } = req;
  const length = headers['content-length'];
  if (length !== undefined) return sizeOf(Number(length));
  if (headers['transfer-encoding'] === undefined) return 0;
  return sizeOf(socket.bytesRead - bytesRead);
}

/** The content's length as announced; where there is none, what went over the connection, head included. */
function bytesSent({ res, socket, bytesWritten }: Exchange, finished: boolean): number {
  const length = finished ? res.getHeader('content-length') : undefined;
  return sizeOf(length === undefined ? socket.bytesWritten - bytesWritten : Number(length));
}

/** One NaN would spoil a sum for good. */
function sizeOf(bytes: number): number {
  return bytes >= 0 ? bytes : 0;
}
