import { describe, expect, it } from 'vitest';
import { memoryJobStore } from '../src/memory-job-store.js';
import { itKeepsTheJobStoreContract, LEASE_MS } from './job-store-contract.js';

describe('the store of jobs in memory', () => {
  itKeepsTheJobStoreContract(async () => {
    let time = 1_000_000;
    const store = memoryJobStore({ leaseMs: LEASE_MS, ttlMs: 60_000, maxJobs: 1_000, now: () => time });
    const pass = async (ms: number): Promise<void> => void (time += ms);
    return { store, other: store, pass };
  });

  it('is bounded: what has ended makes room, what runs does not', async () => {
    const store = memoryJobStore({ leaseMs: 1_000, ttlMs: 60_000, maxJobs: 2 });
    const job = (id: string) => ({ id, kind: 'search', owner: null, input: '1', traceparent: '' });
    await store.put(job('a'), 'h', ['1'], 'complete');
    await store.put(job('b'), 'h', ['1']);
    await store.put(job('c'), 'h', ['1']);
    expect(await store.read('a', 0)).toBeUndefined();
    await expect(store.put(job('d'), 'h', ['1'])).rejects.toMatchObject({ code: 'too_many_jobs' });
    await store.append(job('b'), 'h', 1, ['2'], 'failed');
    await store.put(job('d'), 'h', ['1']);
    expect(await store.read('b', 0)).toBeUndefined();
    expect(await store.read('c', 0)).toBeDefined();
  });

  it('forgets a job some time after its last event', async () => {
    let time = 0;
    const store = memoryJobStore({ leaseMs: 100, ttlMs: 1_000, maxJobs: 2, now: () => time });
    const job = { id: 'a', kind: 'search', owner: null, input: '1', traceparent: '' };
    await store.put(job, 'h', ['1'], 'complete');
    time = 1_000;
    expect(await store.read('a', 0)).toBeDefined();
    time = 1_200;
    expect(await store.read('a', 0)).toBeUndefined();
  });
});
