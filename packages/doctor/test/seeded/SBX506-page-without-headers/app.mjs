import { soundApp } from '../sound-app.mjs';

export const app = soundApp({ routes: (app) => app.get('/', (req, res) => res.send('<h1>Hello</h1>')) });
