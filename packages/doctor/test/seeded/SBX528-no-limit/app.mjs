import { soundApp } from '../sound-app.mjs';

export const app = soundApp({ limits: false });
