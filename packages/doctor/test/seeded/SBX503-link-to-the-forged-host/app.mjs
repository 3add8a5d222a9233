import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  before: (app) => app.set('trust proxy', 'loopback'),
  routes: (app) => app.get('/', (req, res) => res.redirect(`${req.protocol}://${req.host}/start`)),
});
