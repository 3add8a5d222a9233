import { serveSoundly } from '../serve-soundly.mjs';
import { soundApp } from '../sound-app.mjs';

if (process.env.DATABASE_URL === undefined) throw new Error('DATABASE_URL must be set');
serveSoundly(soundApp());
