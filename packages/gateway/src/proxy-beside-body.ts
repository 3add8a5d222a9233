import type { IncomingMessage, ServerResponse } from 'node:http';
import { CONNECTION, namedByConnection, PASS, withMore } from './proxy-header-names.js';
import type { ProxySettings } from './proxy-options.js';

/** No answer needs more informational ones, and an upstream could send them for ever. */
export const MAX_INFORMATIONAL = 16;

/** Passes on 102 and 103 (RFC 8297); others mean nothing to this client. */
export function sendInformational(
  req: IncomingMessage,
  res: ServerResponse,
  { responseHeaders }: ProxySettings,
  status: number,
  raw: readonly Buffer[],
): void {
  // RFC 9110 section 15.2: HTTP/1.0 has none.
  if (res.headersSent || req.httpVersionMinor === 0) return;
  if (status === 102) res.writeProcessing();
  if (status !== 103) return;
  const link: string[] = [];
  const others = new Map<string, string>();
  let named: string[] | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const { lowerCase, action } = responseHeaders.rule(raw[index]?.toString('latin1') ?? '');
    const value = raw[index + 1]?.toString('latin1') ?? '';
    if (lowerCase === 'link' && action === PASS) link.push(...linksOf(value));
    else if (action === CONNECTION) named = withMore(named, namedByConnection(value));
    else if (action === PASS) {
      const before = others.get(lowerCase);
      others.set(lowerCase, before === undefined ? value : `${before}, ${value}`);
    }
  }
  for (const name of named ?? []) others.delete(name);
  try {
    if (link.length > 0) res.writeEarlyHints({ ...Object.fromEntries(others), link });
  } catch {
    // A hint that Node does not like is left out.
  }
}

/** A link with its parameters, which may have commas within quotes (RFC 8288 section 3). */
const LINK = /<[^<>]*>[^,"]*(?:"[^"]*"[^,"]*)*/g;

/** One line may name several, as Node writes them, and takes each alone. */
function linksOf(value: string): string[] {
  return value.match(LINK)?.map((link) => link.trim()) ?? [value];
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
export function sendTrailers(
  res: ServerResponse,
  { responseHeaders }: ProxySettings,
  trailers: readonly (string | Buffer)[] | null,
): void {
  if (trailers === null || trailers.length === 0 || !res.hasHeader('trailer')) return;
  const fields: [string, string][] = [];
  for (let index = 0; index < trailers.length; index += 2) {
    const name = textOf(trailers[index]);
    const { lowerCase, action } = responseHeaders.rule(name);
    if (action === PASS && !NO_TRAILERS.has(lowerCase)) fields.push([name, textOf(trailers[index + 1])]);
  }
  try {
    res.addTrailers(fields);
  } catch {
    // What Node does not send is left out: the body is whole without it.
  }
}

/** As the fields of a header section, byte by byte: read as UTF-8, some would be characters that no field may have. */
function textOf(bytes: string | Buffer | undefined): string {
  return typeof bytes === 'string' ? bytes : (bytes?.toString('latin1') ?? '');
}
