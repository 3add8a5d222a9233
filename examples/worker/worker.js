// A background process, with no Express and no HTTP server: it indexes the Markdown below a folder again and again,
// and whoever has joined the room sees on the page how far it is.
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { externalEmitter } from '@signalbox/emitter';
import { connectRedis } from '@signalbox/redis';
import { indexMarkdown } from './markdown-index.js';

/**
 * What this process says: the standard events, and one of its own.
 *
 * @typedef {import('@signalbox/emitter').StandardEvents & {
 *   index_ready: { folder: string, documents: number, terms: number },
 * }} Events
 */

/** No page needs to hear more often how far it is. */
const PROGRESS_EVERY_MS = 100;

const {
  INTERVAL_SECONDS = '60',
  REDIS_URL = 'redis://127.0.0.1:6379',
  ROOM: room = 'search_status',
} = process.env;
const folder = resolve(process.argv[2] ?? '');
const name = basename(folder);
const everyMs = Number(INTERVAL_SECONDS) * 1_000;
if (process.argv[2] === undefined || !statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  refuse('Usage: node worker.js FOLDER, where FOLDER holds Markdown');
}
// A timer takes no more.
if (!(everyMs >= 0 && everyMs < 2 ** 31)) {
  refuse(`INTERVAL_SECONDS must be a number from 0 to 2147483, got ${INTERVAL_SECONDS}`);
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop.abort());

const redis = connectRedis(REDIS_URL);
// While Redis is gone, the work goes on, and what there is to say waits; but nobody wants to hear it an hour later.
/** @type {import('@signalbox/emitter').ExternalEmitter<Events>} */
const emitter = externalEmitter({ redis, queue: { maxEvents: 1_000, maxAgeMs: 60_000 } });

let announced = '';
while (!stop.signal.aborted) {
  await indexOnce();
  if (everyMs === 0) break;
  await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
}

await emitter.close(); // delivers what it can
await redis.close();
console.log('Stopped');

/** Indexes the folder, and says so. What goes wrong is said as well, and tried again the next time. */
async function indexOnce() {
  const say = (status, details) =>
    tell(emitter.emitSearchStatus(`index of ${name}`, status, { room, ...details }));
  let saidAt = -Infinity;
  try {
    await say('started', { progress: 0 });
    const index = await indexMarkdown(folder, progress, stop.signal);
    await say('complete', { resultsCount: index.documentCount, progress: 1 });
    await announce(index.documentCount, index.termCount);
  } catch (error) {
    await say('failed', { stage: stop.signal.aborted ? 'stopped' : 'reading' });
    if (stop.signal.aborted) return;
    await tell(emitter.emitSystemAlert('error', `The index of ${name} could not be made`));
    console.error(error);
  }

  async function progress(done, total) {
    if (performance.now() - saidAt < PROGRESS_EVERY_MS) return;
    saidAt = performance.now();
    await say('progress', {
      resultsCount: done,
      progress: Math.floor((100 * done) / total) / 100,
      stage: 'reading',
    });
  }
}

/** Everybody hears of a new index, but not of one that is as it was. */
async function announce(documents, terms) {
  const news = `The index of ${name} is ready: ${documents} documents, ${terms} words`;
  if (news === announced) return;
  announced = news;
  console.log(news);
  await tell(emitter.emit(room, 'index_ready', { folder: name, documents, terms }));
  await tell(emitter.emitSystemAlert('info', news));
}

function refuse(words) {
  console.error(words);
  process.exit(2);
}

/** That nobody could be told is no reason not to go on with the work. */
async function tell(sending) {
  await sending.catch((error) => console.error(`Not said: ${error.message}`));
}
