import { soundApp } from '../sound-app.mjs';

const place = soundApp();
place.listen(process.env.PORT);
