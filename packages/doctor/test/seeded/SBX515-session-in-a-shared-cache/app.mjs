import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  routes: (app) =>
    app.get('/', (req, res) => {
      res.set('Cache-Control', 'public, max-age=60');
      res.cookie('sid', '1', { httpOnly: true, sameSite: 'lax' }).json({});
    }),
});
