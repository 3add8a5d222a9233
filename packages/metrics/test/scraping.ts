import { once } from 'node:events';
import { connect } from 'node:net';
import express, { type Express } from 'express';
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import { metrics, metricsEndpoint, type MetricsOptions } from '../src/index.js';
import { readPrometheus, type Exposition } from './read-metrics.js';

/** An app whose requests are measured; the process and the features are left to other tests. */
export function measuredApp(options: MetricsOptions = {}): Express {
  const registry = options.registry ?? new Registry();
  const app = express();
  app.get('/metrics', metricsEndpoint({ registry }));
  app.use(metrics({ process: false, features: false, ...options, registry }));
  return app;
}

/** Scrapes an app, and checks the form of what it says. */
export async function scrape(url: string, path = '/metrics'): Promise<Exposition> {
  const response = await fetch(`${url}${path}`);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return readPrometheus(text);
}

/** Sends GET requests down one connection without waiting for answers, and reads all answers. */
export async function pipeline(url: string, paths: readonly string[]): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n`);
  socket.write(`${requests.join('\r\n')}Connection: close\r\n\r\n`);
  socket.resume();
  await once(socket, 'close');
}
