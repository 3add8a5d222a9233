import express from 'express';
import session from 'express-session';
import { serveSoundly } from '../serve-soundly.mjs';
import { soundApp } from '../sound-app.mjs';

const files = express.static('public');
const sessions = session({
  secret: process.env.SESSION_SECRET,
  store: new session.MemoryStore(),
  resave: false,
  saveUninitialized: false,
});

serveSoundly(soundApp({ before: (app) => app.use(sessions, files) }));
