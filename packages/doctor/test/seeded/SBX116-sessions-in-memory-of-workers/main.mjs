import session from 'express-session';
import { serveSoundly } from '../serve-soundly.mjs';
import { soundApp } from '../sound-app.mjs';

const sessions = session({ secret: process.env.SESSION_SECRET, resave: false, saveUninitialized: false });

serveSoundly(soundApp({ before: (app) => app.use(sessions) }));
