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

  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'timed_out'>((resolve) => {
    timer = setTimeout(resolve, budgetMs, 'timed_out');
  });
  try {
    return finished(await Promise.race([closed(close), late]));
  } catch (error) {
    return { ...finished('failed'), error };
  } finally {
    clearTimeout(timer);
  }
}

async function closed(close: () => unknown): Promise<'closed'> {
  await close();
  return 'closed';
}
