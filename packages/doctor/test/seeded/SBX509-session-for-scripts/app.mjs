import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  routes: (app) =>
    app.get('/', (req, res) =>
      res.set('Cache-Control', 'no-store').cookie('sid', '1', { sameSite: 'lax' }).json({}),
    ),
});
