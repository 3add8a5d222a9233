import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  routes: (app) => app.get('/metrics', (req, res) => res.type('text/plain').send('# TYPE up gauge')),
});
