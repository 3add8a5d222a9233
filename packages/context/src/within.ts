/**
 * What comes first: what is worked at, or what `late` gives after so long, which may throw. What becomes of the work then
 * reaches nobody.
 *
 * @param ms how long is waited, in milliseconds
 *
 * @example
 * const user = await within(1_000, load(id), () => { throw new GatewayTimeoutError('load'); });
 */
export async function within<Value>(
  ms: number,
  work: Value | PromiseLike<Value>,
  late: () => Value | PromiseLike<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([work, expiry.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
