/** Runs a step once the steps before it are over, whatever became of them; at once when there are none. */
export type InTurn = <Result>(step: () => Promise<Result>) => Promise<Result>;

/** Steps of one thing, one at a time, in the order in which they were asked for. */
export function takeTurns(): InTurn {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  return async function inTurn(step) {
    // At once means before this function returns: a signal that is sent now reaches its process before the bytes
    // that the caller sends next.
    const turn = waiting === 0 ? step() : last.then(step);
    waiting += 1;
    last = turn.then(
      () => (waiting -= 1),
      () => (waiting -= 1),
    );
    return turn;
  };
}
