import { NotFoundError } from '@signalbox/errors';
import { Router } from 'express';

/** The documents that the embedded engine finds, as plain text. */
export function docsRouter(folder: string): Router {
  const router = Router();
  router.get('/{*path}', (req, res, next) => {
    const asked = [req.params.path ?? []].flat().join('/');
    // Links of alerts name a page without the ending of its file.
    const path = asked.endsWith('.md') ? asked : `${asked}.md`;
    if (!/^[\w-]+(\/[\w-]+)*\.md$/.test(path) || path.includes('node_modules')) return next();
    res.sendFile(
      path,
      { root: folder, headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-cache' } },
      (error) => {
        if (error) next(res.headersSent ? error : new NotFoundError('There is no such document'));
      },
    );
  });
  return router;
}
