import { serveSoundly } from '../serve-soundly.mjs';
import { soundApp } from '../sound-app.mjs';

serveSoundly(soundApp({ before: (app) => app.set('trust proxy', () => true) }));
