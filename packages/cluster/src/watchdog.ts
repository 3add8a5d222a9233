// The thread that finds out where the event loop of its process is blocked.
import { writeSync } from 'node:fs';
import { type Debugger, Session } from 'node:inspector';
import { workerData } from 'node:worker_threads';
import { REPORT_FD, type Report } from './messages.js';

interface Watch {
  /** Goes up with every beat. */
  readonly pulse: Int32Array;
  readonly beatMs: number;
  readonly stuckAfterMs: number;
}

/** Code that does not stop for the debugger is not JavaScript. */
const STOPS_WITHIN_MS = 3_000;

const MAX_FRAMES = 50;

const { pulse, beatMs, stuckAfterMs } = workerData as Watch;
// Counted in own ticks: a process that was suspended as a whole is not blocked.
const patience = Math.ceil(stuckAfterMs / beatMs);
let last = Atomics.load(pulse, 0);
let ticks = 0;

setInterval(() => {
  const now = Atomics.load(pulse, 0);
  ticks = now === last ? ticks + 1 : 0;
  last = now;
  if (ticks !== patience) return;
  findOutWhere((stack) => {
    const report: Report = { kind: 'stuck', stack };
    writeSync(REPORT_FD, `${JSON.stringify(report)}\n`);
  });
}, beatMs);

/** Stops the main thread as a debugger does, which works in the midst of a loop, and reads its stack. */
function findOutWhere(tell: (stack: string | undefined) => void): void {
  const session = new Session();
  const files = new Map<string, string>();
  let told = false;
  const finish = (stack: string | undefined): void => {
    if (told) return;
    told = true;
    clearTimeout(late);
    tell(stack);
    session.disconnect();
  };
  const late = setTimeout(() => finish(undefined), STOPS_WITHIN_MS);

  session.connectToMainThread();
  session.on('Debugger.scriptParsed', ({ params }) => files.set(params.scriptId, params.url));
  session.on('Debugger.paused', ({ params }) => {
    finish(
      params.callFrames
        .slice(0, MAX_FRAMES)
        .map((frame) => describe(frame, files))
        .join('\n'),
    );
  });
  session.post('Debugger.enable', () => session.post('Debugger.pause'));
}

function describe(
  { functionName, location }: Debugger.CallFrame,
  files: ReadonlyMap<string, string>,
): string {
  const { scriptId, lineNumber, columnNumber = 0 } = location;
  const place = `${files.get(scriptId) ?? '?'}:${lineNumber + 1}:${columnNumber + 1}`;
  return `    at ${functionName === '' ? '<anonymous>' : functionName} (${place})`;
}
