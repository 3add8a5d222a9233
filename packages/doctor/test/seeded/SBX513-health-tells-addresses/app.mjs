import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  health: false,
  routes: (app) =>
    app.get('/health', (req, res) => res.status(503).json({ redis: 'connect ECONNREFUSED 10.0.3.17:6379' })),
});
