import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { facts } from '@signalbox/context';
import express, { type RequestHandler, Router } from 'express';

const YEAR_SECONDS = 365 * 24 * 60 * 60;

/**
 * The page and what it loads. Assets stand below the hash of all of them, so they may be kept for good; the page
 * names that hash and is asked for again each time.
 */
export function page(folder: string): Router {
  const assets = join(folder, 'assets');
  const hash = hashOf(assets);
  const html = Buffer.from(
    readFileSync(join(folder, 'index.html'), 'utf8').replaceAll('{{assets}}', `/assets/${hash}`),
  );

  const router = Router();
  // Files are no routes: for metrics and logs they are one.
  router.use('/assets', (req, _res, next) => {
    facts(req).route = '/assets';
    next();
  });
  router.use(
    `/assets/${hash}`,
    express.static(assets, { immutable: true, maxAge: YEAR_SECONDS * 1000, index: false, redirect: false }),
  );
  // During a rolling update another process made the page: the current files serve, and nobody keeps them.
  router.use(
    '/assets/:hash',
    express.static(assets, {
      cacheControl: false,
      index: false,
      redirect: false,
      setHeaders: (res) => res.setHeader('Cache-Control', 'no-store'),
    }),
  );
  // Under its other name the file would be sent with what stands for the hash.
  router.get(['/', '/index.html'], sendPage(html));
  router.use(express.static(folder, { index: false, redirect: false, maxAge: 3_600_000 }));
  return router;
}

function sendPage(html: Buffer): RequestHandler {
  const etag = `W/"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`;

  return function pageMiddleware(_req, res) {
    res.set({ 'Cache-Control': 'no-cache', ETag: etag }).type('html').send(html);
  };
}

function hashOf(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).toSorted()) {
    hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  return hash.digest('base64url').slice(0, 12);
}
