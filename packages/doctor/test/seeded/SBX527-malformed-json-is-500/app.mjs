import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  before: (app) =>
    app.use((req, res, next) => {
      let body = '';
      req.on('data', (part) => (body += part));
      req.on('end', () => {
        try {
          req.body = body === '' ? undefined : JSON.parse(body);
          next();
        } catch (error) {
          next(error);
        }
      });
    }),
});
