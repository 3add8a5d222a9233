// Logs COUNT lines to stdout or to FILE and ends as it is told to.

import { createLogger } from '@signalbox/logging';

const [how, count, path, maxBytes] = process.argv.slice(2);
const logger = createLogger(
  path === undefined ? {} : { file: { path, maxBytes: Number(maxBytes ?? 1e9), keep: 1_000 } },
);

process.on('exit', () => logger.info({ last: true }, 'in an exit listener'));
for (let number = 1; number <= Number(count); number++) logger.info({ number }, 'line');

const ends = {
  exit: () => process.exit(1),
  throw: () => {
    throw new Error('crash');
  },
  reject: () => Promise.reject(new Error('crash')),
  end: () => undefined,
  kill: () => process.kill(process.pid, 'SIGKILL'),
};
ends[how]();
