import { UpstreamInvalidResponseError, UpstreamResponseError } from './errors.js';

/** A whole answer of an upstream. */
export interface UpstreamResponse {
  readonly status: number;
  /** Names in lower case. Without `content-encoding` and `content-length` where the body was decoded. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Name of the upstream, and origin of the server that answered. */
  readonly upstream: string;
  readonly server: string;
}

/**
 * Refuses every status but 2xx.
 *
 * @throws {UpstreamResponseError}
 */
export function requireSuccess({ status, upstream, server }: UpstreamResponse): void {
  if (status >= 200 && status < 300) return;
  const hint = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  throw new UpstreamResponseError(status, `upstream "${upstream}": ${server} answered ${status}${hint}`, {
    upstream,
    server,
  });
}

/** The body as text, by the charset of its `Content-Type`; UTF-8 by default. */
export function textOf({ headers, body }: UpstreamResponse): string {
  const charset = /charset="?([\w.:-]+)/i.exec(contentType(headers))?.[1]?.toLowerCase();
  if (charset === undefined || charset === 'utf-8' || charset === 'utf8')
    return withoutBom(body.toString('utf8'));
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    // A charset that nobody knows: most likely a misspelt UTF-8.
    return withoutBom(body.toString('utf8'));
  }
}

/**
 * The body as JSON, whatever its `Content-Type` claims.
 *
 * @throws {UpstreamInvalidResponseError}
 */
export function jsonOf(response: UpstreamResponse): unknown {
  const { upstream, server, body, headers } = response;
  try {
    // JSON is UTF-8 (RFC 8259 section 8.1).
    return JSON.parse(withoutBom(body.toString('utf8')));
  } catch {
    const type = contentType(headers).split(';', 1)[0]?.trim().slice(0, 100) ?? '';
    const came = body.length === 0 ? 'nothing' : type === '' || /json/i.test(type) ? 'something else' : type;
    // No cause: the parser's message quotes the body.
    throw new UpstreamInvalidResponseError(
      `upstream "${upstream}": ${server} answered ${came} where JSON was expected`,
      { upstream, server },
    );
  }
}

function contentType(headers: UpstreamResponse['headers']): string {
  const field = headers['content-type'];
  return typeof field === 'string' ? field : '';
}

function withoutBom(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
