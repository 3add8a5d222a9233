import type { JobEvent, JobFollowing } from './job-types.js';
import type { Member } from './member.js';
import { TooManyRequestsError } from '@signalbox/errors';

/** Jobs that one socket may follow at a time. */
const MAX_FOLLOWS = 32;

/** Sends the events of a job to a socket from now on, those after `after` first. */
export async function followJob(
  jobs: JobFollowing | undefined,
  member: Member,
  id: string,
  after: number,
): Promise<void> {
  if (jobs === undefined) throw new TypeError('realtime: "jobs" must be given to follow one');
  const { follows, socket, principal } = member;
  // Nobody would end that.
  if (member.isEnding) return;
  if (follows.size >= MAX_FOLLOWS && !follows.has(id)) {
    throw new TooManyRequestsError(`At most ${MAX_FOLLOWS} jobs at a time`, { code: 'too_many_jobs' });
  }
  follows.get(id)?.();
  let isStopped = false;
  let stopFollowing: (() => void) | undefined;
  // Also while it is only about to begin: somebody may ask again meanwhile, or go.
  const stop = (): void => {
    isStopped = true;
    stopFollowing?.();
  };
  follows.set(id, stop);
  const forget = (): void => {
    if (follows.get(id) === stop) follows.delete(id);
  };

  try {
    const options = { owner: principal?.subject ?? null, after, onEnd: forget };
    stopFollowing = await jobs.follow(id, options, (event) => {
      if (!isStopped) socket.emit(`${event.kind}_${event.type}`, onTheWire(event));
    });
  } catch (error) {
    forget();
    throw error;
  }
  if (isStopped) stopFollowing();
}

/** Id and number stand first, and are what they are whatever the job told. */
function onTheWire({ id, seq, data }: JobEvent): object {
  return Object.assign({ id, seq }, data, { id, seq });
}
