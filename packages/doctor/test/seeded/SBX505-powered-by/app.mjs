import { soundApp } from '../sound-app.mjs';

export const app = soundApp({ before: (app) => app.enable('x-powered-by') });
