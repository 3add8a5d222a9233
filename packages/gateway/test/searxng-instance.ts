import type { IncomingMessage, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { searxng, type Searxng, type SearxngOptions } from '@signalbox/gateway';
import { sendJson, upstreamServer, type UpstreamServer } from './upstream-server.js';

export const RESULT = {
  url: 'https://expressjs.com/',
  title: 'Express',
  content: 'A web framework',
  engine: 'wiki',
  engines: ['wiki', 'web'],
  score: 1.5,
  category: 'general',
  publishedDate: null,
};

export const FOUND = {
  query: 'express',
  number_of_results: 1200,
  results: [RESULT],
  answers: [],
  corrections: [],
  infoboxes: [],
  suggestions: ['express js'],
  unresponsive_engines: [],
};

export type Handle = (req: IncomingMessage, res: ServerResponse, url: URL) => void;

/** Answers as SearXNG does: the paths it has, and 404 for the others. */
export async function instance(
  found: unknown = FOUND,
  own: Record<string, Handle> = {},
): Promise<UpstreamServer> {
  const paths: Record<string, Handle> = {
    '/healthz': (_req, res) => res.end('OK'),
    '/search': (_req, res, url) => {
      if (url.searchParams.get('q') === '') sendJson(res, { error: 'No query' }, 400);
      else sendJson(res, found);
    },
    ...own,
  };
  return upstreamServer((req, res) => {
    const url = new URL(req.url ?? '', 'http://instance');
    const handle = paths[url.pathname];
    if (handle === undefined) res.writeHead(404).end();
    else handle(req, res, url);
  });
}

export function engine(...urls: string[]): Searxng {
  return engineWith({ urls });
}

export function engineWith(options: SearxngOptions): Searxng {
  const made = searxng({ timeoutMs: 10_000, ...options });
  onTestFinished(() => void made.close());
  return made;
}
