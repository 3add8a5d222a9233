import express from 'express';
import { soundApp } from '../sound-app.mjs';

export const app = soundApp({
  before: (app) => app.use(express.json()),
  routes: (app) =>
    app.use((error, req, res, next) => {
      if (res.headersSent) return next(error);
      res.status(400).type('text/plain').send(error.stack);
    }),
});
