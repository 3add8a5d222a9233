import { soundApp } from '../sound-app.mjs';

process.on('SIGTERM', () => {});
const app = soundApp();
app.listen(process.env.PORT);
