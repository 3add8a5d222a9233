import { randomUUID } from 'node:crypto';
import { readIncident, type Incident } from './incident.js';
import { numberAt, textAt } from './reading.js';

/** It began, it got worse, it is still there, it is over. */
export type NoticeKind = 'open' | 'worse' | 'repeat' | 'over';

const KINDS: readonly NoticeKind[] = ['open', 'worse', 'repeat', 'over'];

/** Something that a channel is to be told. */
export interface Notice {
  readonly id: string;
  readonly kind: NoticeKind;
  readonly atMs: number;
  /** As it was then. */
  readonly incident: Incident;
}

export function notice(kind: NoticeKind, incident: Incident, atMs: number): Notice {
  return { id: randomUUID(), kind, atMs, incident: { ...incident, told: {} } };
}

/** A notice of what JSON holds, or `undefined` when it is none. */
export function readNotice(value: unknown): Notice | undefined {
  const id = textAt(value, 'id');
  const kind = KINDS.find((each) => each === textAt(value, 'kind'));
  const atMs = numberAt(value, 'atMs');
  const incident = readIncident(Reflect.get(Object(value), 'incident'));
  if (id === undefined || kind === undefined || atMs === undefined || incident === undefined)
    return undefined;
  return { id, kind, atMs, incident };
}
