import { serveSoundly } from '../serve-soundly.mjs';
import { soundApp } from '../sound-app.mjs';

serveSoundly(soundApp({ errors: false }));
