import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  routes: (app) => app.get('/.env', (req, res) => res.type('text/plain').send('PORT=8889')),
});
