import { endOnSignals } from './end-on-signals.js';

const leaveToListeners = endOnSignals();
// Loaded only now: whoever stops it meanwhile is heard.
const { isManaged } = await import('@signalbox/server');
const { readSettings } = await import('./settings.js');

const settings = readSettings();
// The manager loads nothing of the app: a version of it that is broken must not take the manager with it.
if (settings.WORKERS > 1 && !isManaged) {
  const { manage } = await import('./manage.js');
  leaveToListeners();
  await manage(settings);
} else {
  const { serveApp } = await import('./serve-app.js');
  await serveApp(settings);
  leaveToListeners();
}
