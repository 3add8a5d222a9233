import { within } from '@signalbox/context';
import type { Resource, ResourcePhase } from './drain-options.js';
import type { ClosedResource } from './drain-report.js';

/**
 * Closes the resources of one phase at the same time. One that throws or hangs keeps none of the
 * others; it is named in the outcome.
 */
export async function closeResources(
  resources: readonly Resource[],
  phase: ResourcePhase,
  budgetMs: number,
): Promise<ClosedResource[]> {
  const ofPhase = resources.filter((resource) => (resource.phase ?? 'pools') === phase);
  return Promise.all(
    ofPhase.map((resource) => closeOne(resource, phase, Math.min(resource.budgetMs ?? budgetMs, budgetMs))),
  );
}

async function closeOne(
  { name, close }: Resource,
  phase: ResourcePhase,
  budgetMs: number,
): Promise<ClosedResource> {
  const start = performance.now();
  const finished = (outcome: ClosedResource['outcome']) => ({
    name,
    phase,
    outcome,
    durationMs: performance.now() - start,
  });

  try {
    return finished(await within<ClosedResource['outcome']>(budgetMs, closed(close), () => 'timed_out'));
  } catch (error) {
    return { ...finished('failed'), error };
  }
}

async function closed(close: () => unknown): Promise<'closed'> {
  await close();
  return 'closed';
}
