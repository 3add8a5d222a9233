import type { Signal } from '@signalbox/signals';

/** Says which signal a metric is made of. Nobody listens before the metrics are started. */
export type Hear = <Payload extends object>(
  signal: Signal<Payload>,
  listener: (payload: Payload) => void,
) => void;

/** For what answers within a network round trip or two. In seconds. */
export const ROUND_TRIP_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1,
];

/** For what may take as long as a request. In seconds. */
export const REQUEST_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** The values of a state, one of which holds: its series is 1 and the others are 0. */
export function showState<State extends string>(
  of: (state: State) => { value: number },
  states: readonly State[],
  current: State,
): void {
  for (const state of states) of(state).value = state === current ? 1 : 0;
}
