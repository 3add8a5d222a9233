import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  before: (app) =>
    app.use((req, res, next) => {
      if (req.headers.origin) {
        res.set('Access-Control-Allow-Origin', req.headers.origin);
        res.set('Access-Control-Allow-Credentials', 'true');
        res.vary('Origin');
      }
      next();
    }),
});
