/** Waits for so long, and rejects with what `late` makes when there is no answer by then. */
export async function within<Answer>(
  ms: number,
  answer: Answer | PromiseLike<Answer>,
  late: () => Error,
): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([answer, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
