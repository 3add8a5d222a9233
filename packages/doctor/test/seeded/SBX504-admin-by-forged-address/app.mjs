import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  before: (app) => app.set('trust proxy', () => true),
  routes: (app) =>
    app.get('/metrics', (req, res) => {
      if (req.ip !== '127.0.0.1') return res.status(403).end();
      res.type('text/plain').send('# TYPE up gauge');
    }),
});
