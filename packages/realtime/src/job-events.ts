import type { JobEvent, JobEventType } from './job-types.js';
import { toldError } from './told-error.js';

/** An event as it is kept. */
interface Kept {
  readonly t: JobEventType;
  readonly d: Record<string, unknown>;
}

/** @throws {TypeError} when it is no JSON, as with a circle or a bigint */
export function writeEvent(type: JobEventType, data: object): string {
  return JSON.stringify({ t: type, d: data });
}

export function writeFailure(error: unknown, requestId?: string): string {
  return writeEvent('failed', { error: toldError(error, requestId) });
}

export function readEvent(id: string, kind: string, seq: number, text: string): JobEvent {
  const { t: type, d: data } = JSON.parse(text) as Kept;
  return { id, kind, seq, type, data };
}

export function isLast({ type }: JobEvent): boolean {
  return type === 'complete' || type === 'failed';
}
