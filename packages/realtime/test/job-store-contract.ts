import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import type { JobRef, JobStore, NewJob } from '../src/job-store.js';

/** How long the stores under test let a holder be silent. */
export const LEASE_MS = 300;

export interface StoreUnderTest {
  readonly store: JobStore;
  /** Another process' way to the same jobs. */
  readonly other: JobStore;
  /** Lets so much time pass. */
  readonly pass: (ms: number) => Promise<void>;
}

let made = 0;

function newJob(fields: Partial<NewJob> = {}): NewJob {
  made += 1;
  const id = `job-${process.pid}-${made}`.padEnd(22, 'x');
  return { id, kind: 'search', owner: 'ada', input: '{"q":"ü\\n"}', traceparent: '', ...fields };
}

const take = (store: JobStore, job: JobRef, holder: string) => store.take(job, holder, 3, 'abandoned');

/** The checks that every store of jobs passes. */
export function itKeepsTheJobStoreContract(open: () => Promise<StoreUnderTest>): void {
  describe('a job', () => {
    it.concurrent('is there with its events, for all processes', async () => {
      const { store, other } = await open();
      const job = newJob();
      expect(await store.put(job, 'h1', ['a', 'b'])).toBe('held');
      expect(await store.append(job, 'h1', 2, ['c'])).toBe('held');
      const reading = await other.read(job.id, 0);
      expect(reading).toMatchObject({ kind: 'search', owner: 'ada', state: 'running', length: 3 });
      expect(reading?.events).toEqual(['a', 'b', 'c']);
      expect(reading?.leaseLeftMs).toBeGreaterThan(0);
      expect((await other.read(job.id, 2))?.events).toEqual(['c']);
      expect((await other.read(job.id, 3))?.events).toEqual([]);
      expect((await other.read(job.id, 9))?.events).toEqual([]);
      expect((await other.read(job.id, -1))?.events).toEqual(['c']);
      expect(await other.read('nowhere', 0)).toBeUndefined();
      expect(await store.append({ id: 'nowhere', kind: 'search' }, 'h1', 0, ['a'])).toBe('missing');
    });

    it.concurrent('of nobody has no owner', async () => {
      const { store } = await open();
      const job = newJob({ owner: null });
      await store.put(job, 'h1', ['a']);
      expect((await store.read(job.id, 0))?.owner).toBeNull();
    });

    it.concurrent('ends with its last event, once', async () => {
      const { store, other, pass } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      expect(await store.append(job, 'h1', 1, ['end'], 'complete')).toBe('held');
      // The answer got lost, and it is said again.
      expect(await store.append(job, 'h1', 1, ['end'], 'complete')).toBe('held');
      expect(await store.append(job, 'h1', 2, ['more'])).toBe('held');
      expect(await other.read(job.id, 0)).toMatchObject({ state: 'complete', events: ['a', 'end'] });
      await pass(LEASE_MS * 2);
      expect(await take(other, job, 'h2')).toBeUndefined();
      expect(await other.due('search', 100)).not.toContain(job.id);
      expect(await other.cancel(job.id)).toBe(false);
    });

    it.concurrent('gets each event once, however often it is written', async () => {
      const { store } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a', 'b']);
      expect(await store.put(job, 'h1', ['a', 'b', 'c'])).toBe('held');
      expect(await store.append(job, 'h1', 1, ['b', 'c', 'd'])).toBe('held');
      expect(await store.append(job, 'h1', 4, [])).toBe('held');
      expect((await store.read(job.id, 0))?.events).toEqual(['a', 'b', 'c', 'd']);
      // The store has less than was written.
      expect(await store.append(job, 'h1', 9, ['z'])).toBe('missing');
    });

    it.concurrent('is heard of by all processes, with the numbers of its events', async () => {
      const { store, other } = await open();
      const heard: unknown[] = [];
      const end = other.listen(
        (id, first, events) => heard.push([id, first, events]),
        () => undefined,
      );
      const job = newJob();
      await eventually(async () => {
        await store.put(newJob(), 'h0', ['warm up']);
        return heard.length > 0;
      });
      heard.length = 0;
      await store.put(job, 'h1', ['a']);
      await store.append(job, 'h1', 1, ['b', 'c']);
      await store.append(job, 'h1', 3, []);
      await store.append(job, 'h1', 2, ['c', 'd'], 'complete');
      const own = (): unknown[] => heard.filter((entry) => Array.isArray(entry) && entry[0] === job.id);
      await eventually(() => own().length === 3);
      expect(own()).toEqual([
        [job.id, 1, ['a']],
        [job.id, 2, ['b', 'c']],
        [job.id, 4, ['d']],
      ]);
      end();
    });
  });

  describe('holding a job', () => {
    it.concurrent('lasts as long as it is renewed, and then somebody else may have it', async () => {
      const { store, other, pass } = await open();
      const job = newJob({ traceparent: '00-1-2-01' });
      await store.put(job, 'h1', ['a']);
      for (let round = 0; round < 3; round += 1) {
        await pass(LEASE_MS / 2);
        expect(await store.append(job, 'h1', 1, [])).toBe('held');
        expect(await take(other, job, 'h2')).toBeUndefined();
      }
      await pass(LEASE_MS + 50);
      expect(await other.due('search', 100)).toContain(job.id);
      expect(await take(other, job, 'h2')).toEqual({ job, attempt: 2, isCancelled: false, events: ['a'] });
      expect(await other.due('search', 100)).not.toContain(job.id);

      // The first comes back: it was only asleep.
      expect(await store.append(job, 'h1', 1, ['late'])).toBe('lost');
      expect(await store.append(job, 'h1', 1, ['late'], 'complete')).toBe('lost');
      expect(await store.put(job, 'h1', ['a', 'late'])).toBe('lost');
      await store.release(job, 'h1', false);
      expect(await other.append(job, 'h2', 1, ['b'])).toBe('held');
      expect((await store.read(job.id, 0))?.events).toEqual(['a', 'b']);
    });

    it.concurrent('that was given up in time goes on where nobody has taken the job', async () => {
      const { store, pass } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      await pass(LEASE_MS * 2);
      expect(await store.append(job, 'h1', 1, ['b'])).toBe('held');
      expect(await take(store, job, 'h2')).toBeUndefined();
    });

    it.concurrent('can be let go, which is no failed attempt', async () => {
      const { store, other } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      for (let round = 0; round < 5; round += 1) {
        await store.release(job, round === 0 ? 'h1' : `h${round + 1}`, false);
        await eventually(async () => (await other.due('search', 100)).includes(job.id));
        expect((await take(other, job, `h${round + 2}`))?.attempt).toBe(1);
      }
      await store.release(job, 'h1', false);
      expect(await other.due('search', 100)).not.toContain(job.id);
    });

    it.concurrent('is found by its kind', async () => {
      const { store, other, pass } = await open();
      const [known, unknown] = [newJob(), newJob({ kind: 'new-kind' })];
      await store.put(known, 'h1', ['a']);
      await store.put(unknown, 'h1', ['a']);
      await pass(LEASE_MS + 50);
      expect(await other.due('search', 100)).toEqual([known.id]);
      expect(await other.due('new-kind', 100)).toEqual([unknown.id]);
      expect(await other.due('no-kind', 100)).toEqual([]);
      expect(await take(other, unknown, 'h2')).toMatchObject({ attempt: 2 });
    });

    it.concurrent('ends after too many attempts, and says so', async () => {
      const { store, pass } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      for (const attempt of [2, 3]) {
        await pass(LEASE_MS + 50);
        expect(await take(store, job, `h${attempt}`)).toMatchObject({ attempt });
      }
      await pass(LEASE_MS + 50);
      expect(await take(store, job, 'h4')).toBeUndefined();
      expect(await store.read(job.id, 0)).toMatchObject({ state: 'failed', events: ['a', 'abandoned'] });
      expect(await store.append(job, 'h3', 1, ['late'])).toBe('lost');
    });

    it.concurrent('can be let go as an attempt, after the last of which nobody begins it', async () => {
      const { store, other } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      await store.release(job, 'h1', true);
      expect(await other.due('search', 100)).toContain(job.id);
      expect(await other.take(job, 'h2', 1, 'abandoned')).toBeUndefined();
      expect(await store.read(job.id, 0)).toMatchObject({ state: 'failed', events: ['a', 'abandoned'] });
    });

    it.concurrent('that was cancelled is not called abandoned, however often it was begun', async () => {
      const { store, other, pass } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      expect(await other.cancel(job.id)).toBe(true);
      await pass(LEASE_MS + 50);
      expect(await store.take(job, 'h2', 1, 'abandoned')).toMatchObject({ isCancelled: true, events: ['a'] });
      expect(await store.append(job, 'h2', 1, ['cancelled'], 'failed')).toBe('cancelled');
      expect(await store.read(job.id, 0)).toMatchObject({ state: 'failed', events: ['a', 'cancelled'] });
    });

    it.concurrent('is taken back by who made it, and by nobody else', async () => {
      const { store, other } = await open();
      const job = newJob();
      await store.withdraw(job, 'h1');
      await store.put(job, 'h1', ['a']);
      await other.withdraw(job, 'h2');
      expect((await other.read(job.id, 0))?.events).toEqual(['a']);
      await store.withdraw(job, 'h1');
      expect(await other.read(job.id, 0)).toBeUndefined();
    });

    it.concurrent('ends early where somebody wants it to', async () => {
      const { store, other, pass } = await open();
      const job = newJob();
      await store.put(job, 'h1', ['a']);
      expect(await other.cancel(job.id)).toBe(true);
      expect(await store.append(job, 'h1', 1, [])).toBe('cancelled');
      await pass(LEASE_MS + 50);
      expect(await take(other, job, 'h2')).toMatchObject({ isCancelled: true });
      expect(await other.cancel('nowhere')).toBe(false);
    });

    it.concurrent('is for one, however many want it at once', async () => {
      const { store, other, pass } = await open();
      for (let round = 0; round < 3; round += 1) {
        const job = newJob();
        await store.put(job, 'h1', ['a']);
        await pass(LEASE_MS + 50);
        const takers = Array.from({ length: 20 }, (_, index) =>
          take(index % 2 ? store : other, job, `t${index}`),
        );
        expect((await Promise.all(takers)).filter((taken) => taken !== undefined)).toHaveLength(1);
      }
    });
  });

  it.concurrent('keeps the events of each holder in order and together, whatever races with what', async () => {
    const { store, other, pass } = await open();
    const step = fc.record({
      who: fc.integer({ min: 0, max: 2 }),
      does: fc.constantFrom('append', 'append', 'append', 'repeat', 'take', 'release', 'wait'),
      many: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const job = newJob();
        // What each believes to be in the store, where it believes to be the holder.
        const believed = new Map<string, string[]>([['w0.0', []]]);
        const names = ['w0.0', '', ''];
        let sequence = 0;
        await store.put(job, 'w0.0', []);
        const pending: Promise<unknown>[] = [];
        for (const { who, does, many } of steps) {
          const at = who % 2 ? other : store;
          const name = names[who] ?? '';
          const log = believed.get(name);
          if (does === 'append' && log !== undefined) {
            const fresh = Array.from({ length: many }, () => `${name}#${(sequence += 1)}`);
            const from = log.length;
            log.push(...fresh);
            pending.push(at.append(job, name, from, fresh));
          } else if (does === 'repeat' && log !== undefined) {
            const from = Math.floor(log.length / 2);
            pending.push(at.append(job, name, from, log.slice(from)));
          } else if (does === 'release' && name !== '') {
            pending.push(at.release(job, name, false));
          } else if (does === 'take') {
            await Promise.all(pending.splice(0));
            const holder = `w${who}.${(sequence += 1)}`;
            const taken = await at.take(job, holder, 1_000, 'abandoned');
            if (taken !== undefined) {
              names[who] = holder;
              believed.set(holder, [...taken.events]);
            }
          } else if (does === 'wait') {
            await Promise.all(pending.splice(0));
            await pass(LEASE_MS / 4);
          }
        }
        await Promise.all(pending);
        const { events = [] } = (await store.read(job.id, 0)) ?? {};
        expect(new Set(events).size).toBe(events.length);
        // Of each holder a run of its events, without holes, and never again after somebody else's.
        const holders = events.map((event) => event.slice(0, event.indexOf('#')));
        const runs = holders.filter((holder, index) => holder !== holders[index - 1]);
        expect(new Set(runs).size).toBe(runs.length);
        for (const [holder, log] of believed) {
          const own = events.filter((event) => event.startsWith(`${holder}#`));
          const intended = log.filter((event) => event.startsWith(`${holder}#`));
          expect(intended.slice(0, own.length)).toEqual(own);
        }
      }),
      { numRuns: 20 },
    );
  });
}
