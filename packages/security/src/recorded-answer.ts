import type { Response } from 'express';

/** An answer as it is kept. */
export interface RecordedAnswer {
  status: number;
  fields: [name: string, value: string | string[]][];
  /** In base64; `null` where it was too long to be kept. */
  body: string | null;
}

/** The status of what nobody is there to receive. */
export const GIVEN_UP = 499;

/**
 * Notes the answer while it is sent, and hands it over when it ends; an answer that never ends, never. Of a try that
 * failed with nobody left to be told, it hands over {@link GIVEN_UP}.
 */
export function recordAnswer(
  res: Response,
  headers: readonly string[],
  maxBytes: number,
  ended: (answer: RecordedAnswer) => void,
): void {
  let chunks: Buffer[] | undefined = [];
  let bytes = 0;
  const note = (chunk: unknown, encoding: unknown): void => {
    if (chunks === undefined || (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))) return;
    const known = typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8';
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk, known) : Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > maxBytes) chunks = undefined;
    else chunks.push(buffer);
  };

  const write = Reflect.get(res, 'write') as (...args: unknown[]) => boolean;
  const end = Reflect.get(res, 'end') as (...args: unknown[]) => Response;
  const destroy = Reflect.get(res, 'destroy') as (...args: unknown[]) => Response;
  let isOver = false;
  // As they are when the content begins: what is mounted before, such as compression, adds its own for what it makes of it.
  let fields: RecordedAnswer['fields'] | undefined;
  res.write = function writeAndRecord(this: Response, ...args: unknown[]) {
    fields ??= fieldsOf(res, headers);
    note(args[0], args[1]);
    return Reflect.apply(write, this, args);
  };
  res.end = function endAndRecord(this: Response, ...args: unknown[]) {
    if (!isOver) {
      isOver = true;
      note(args[0], args[1]);
      // Before the end goes out: a repetition that follows it finds the answer.
      ended({
        status: res.statusCode,
        fields: fields ?? fieldsOf(res, headers),
        body: chunks === undefined ? null : Buffer.concat(chunks).toString('base64'),
      });
    }
    return Reflect.apply(end, this, args);
  };
  res.destroy = function destroyAndTell(this: Response, error?: Error) {
    // The error handler, where the handler failed after its client had gone away: there is nobody to answer.
    if (!isOver && !res.headersSent && res.statusCode === GIVEN_UP) {
      isOver = true;
      ended({ status: GIVEN_UP, fields: [], body: null });
    }
    return Reflect.apply(destroy, this, error === undefined ? [] : [error]);
  };
}

function fieldsOf(res: Response, headers: readonly string[]): RecordedAnswer['fields'] {
  return headers.flatMap((name) => {
    const value = res.getHeader(name);
    if (value === undefined) return [];
    return [[name, Array.isArray(value) ? value : String(value)] as [string, string | string[]]];
  });
}

/** Sends a kept answer once more. */
export function replay(answer: RecordedAnswer & { body: string }, res: Response): void {
  res.statusCode = answer.status;
  for (const [name, value] of answer.fields) res.setHeader(name, value);
  res.setHeader('Idempotency-Replayed', 'true');
  const body = Buffer.from(answer.body, 'base64');
  // RFC 9110 section 8.6: no length where there is no content.
  if (answer.status !== 204 && answer.status !== 304) res.setHeader('Content-Length', body.length);
  res.end(body);
}
