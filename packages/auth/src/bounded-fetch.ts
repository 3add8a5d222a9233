/** A server on this machine may be asked over plain http: nobody is in between. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether what comes from there can be believed. */
export function isTrustworthy(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
}

/**
 * Fetches JSON that may be neither late nor long, and from nowhere else than it was asked for.
 *
 * @throws an error that says what was wrong
 */
export async function fetchJson(
  url: URL,
  timeoutMs: number,
  maxBytes: number,
  closed: AbortSignal,
): Promise<unknown> {
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closed]);
  const response = await fetch(url, {
    signal,
    redirect: 'error',
    headers: { Accept: 'application/jwk-set+json, application/json' },
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`${url.host} answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Counted as it comes, unpacked: Content-Length says nothing of that, where it is there.
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`${url.host} answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
}
