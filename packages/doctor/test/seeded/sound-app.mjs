import express from 'express';

/** An app with nothing to be said against it, but for what a mistake adds: first, and in the place of routes. */
export function soundApp({
  before = () => {},
  routes = () => {},
  health = true,
  errors = true,
  limits = true,
} = {}) {
  const app = express();
  app.disable('x-powered-by');
  before(app);
  app.use((req, res, next) => {
    res.set('X-Content-Type-Options', 'nosniff');
    if (limits) res.set('RateLimit-Policy', '"default";q=100;w=60');
    next();
  });
  if (health) app.get(['/livez', '/readyz', '/health'], (req, res) => res.json({ status: 'healthy' }));
  routes(app);
  app.use((req, res) => res.status(404).json({ error: { code: 404 } }));
  if (errors) {
    app.use((error, req, res, next) => {
      if (res.headersSent) return next(error);
      res.status(error.status ?? 500).json({ error: { code: error.status ?? 500 } });
    });
  }
  return app;
}
