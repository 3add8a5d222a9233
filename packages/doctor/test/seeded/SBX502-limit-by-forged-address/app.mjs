import { soundApp } from '../sound-app.mjs';

const counts = new Map();

export const app = soundApp({
  before: (app) => {
    app.set('trust proxy', () => true);
    app.use((req, res, next) => {
      const count = (counts.get(req.ip) ?? 0) + 1;
      counts.set(req.ip, count);
      res.set('RateLimit-Remaining', String(Math.max(0, 100 - count)));
      next();
    });
  },
});
