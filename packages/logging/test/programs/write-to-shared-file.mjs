// One of several processes that log to one small file.

import { setImmediate as turn } from 'node:timers/promises';
import { createLogger } from '@signalbox/logging';

const [path, writer, count] = process.argv.slice(2);
const logger = createLogger({ file: { path, maxBytes: 20_000, keep: 1_000 } });
for (let number = 0; number < Number(count); number++) {
  logger.info({ writer, number });
  if (number % 10 === 0) await turn();
}
await logger.close();
