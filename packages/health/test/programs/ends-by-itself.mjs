import { check, eventLoopDelayCheck, health } from '@signalbox/health';

const hangs = () => new Promise(() => undefined);
health({
  service: 'search',
  version: '1.0.0',
  checks: [check('hangs', hangs), check('works', () => 'PONG'), check('loop', eventLoopDelayCheck())],
});

// Long enough for each check to have been run, and for the delay to be measured.
setTimeout(() => console.log('checked'), 100);
