import type { IncomingMessage, ServerResponse } from 'node:http';

/** Passes on 102 and 103 (RFC 8297); others mean nothing to this client. */
export function sendInformational(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  raw: readonly Buffer[],
): void {
  // RFC 9110 section 15.2: HTTP/1.0 has none.
  if (res.headersSent || req.httpVersionMinor === 0) return;
  if (status === 102) res.writeProcessing();
  if (status !== 103) return;
  const link: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toString('latin1').toLowerCase() === 'link')
      link.push(raw[index + 1]?.toString('latin1') ?? '');
  }
  try {
    if (link.length > 0) res.writeEarlyHints({ link });
  } catch {
    // A hint that Node does not like is left out.
  }
}

/** Fields that decide how a message is read have no place behind it (RFC 9110 section 6.5.1). */
const NO_TRAILERS = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'trailer',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'connection',
]);

/** Sends what stands behind a body that came in chunks, where it was announced and the client can read it. */
export function sendTrailers(res: ServerResponse, trailers: readonly (string | Buffer)[] | null): void {
  if (trailers === null || trailers.length === 0 || !res.hasHeader('trailer')) return;
  const fields: [string, string][] = [];
  for (let index = 0; index < trailers.length; index += 2) {
    const name = String(trailers[index]);
    if (!NO_TRAILERS.has(name.toLowerCase())) fields.push([name, String(trailers[index + 1] ?? '')]);
  }
  res.addTrailers(fields);
}
