import { fieldsGiven, holdResponse } from '@signalbox/context';
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

/** Who hears of an answer. */
export interface AnswerListener {
  /** It ends. Its last bytes leave once the promise is over. */
  ended(answer: RecordedAnswer): Promise<void> | undefined;
  /** Why they could not leave, as where a header is not allowed. */
  failed(error: unknown): void;
}

/**
 * Notes the answer while it is sent, and hands it over when it ends; an answer that never ends, never. Of a try that
 * failed with nobody left to be told, or in the middle of its answer, it hands over {@link GIVEN_UP}.
 */
export function recordAnswer(
  res: Response,
  headers: readonly string[],
  maxBytes: number,
  listener: AnswerListener,
): void {
  let chunks: Buffer[] | undefined = [];
  let bytes = 0;
  const note = (chunk: unknown, encoding: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return;
    const known = typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8';
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk, known) : chunk;
    bytes += buffer.length;
    if (bytes > maxBytes) chunks = undefined;
    else chunks?.push(Buffer.from(buffer));
  };

  let keeping: Promise<void> | undefined;
  holdResponse(res, {
    toSave() {
      const kept = keeping;
      keeping = undefined;
      return kept;
    },
    isDue: () => keeping !== undefined,
    notSaved: (error) => listener.failed(error),
  });
  const writeHead = Reflect.get(res, 'writeHead') as (...args: unknown[]) => Response;
  const write = Reflect.get(res, 'write') as (...args: unknown[]) => boolean;
  const end = Reflect.get(res, 'end') as (...args: unknown[]) => Response;
  const destroy = Reflect.get(res, 'destroy') as (...args: unknown[]) => Response;
  let isOver = false;
  // As they are when the head or the content begins: what is mounted before, such as compression, adds its own for what
  // it makes of it.
  let fields: RecordedAnswer['fields'] | undefined;
  let length: number | undefined;
  const begin = (head: readonly unknown[]): void => {
    if (fields !== undefined) return;
    const given = fieldsGiven(head);
    const fieldOf: FieldOf = (name) => given.get(name.toLowerCase())?.value ?? res.getHeader(name);
    fields = keptFields(fieldOf, headers);
    length = Number(fieldOf('Content-Length'));
  };
  const over = (answer: RecordedAnswer): void => {
    isOver = true;
    keeping = listener.ended(answer);
  };
  const answerNow = (): RecordedAnswer => ({
    status: res.statusCode,
    fields: fields ?? keptFields((name) => res.getHeader(name), headers),
    body: chunks === undefined ? null : Buffer.concat(chunks).toString('base64'),
  });
  res.writeHead = function writeHeadAndRecord(this: Response, ...args: unknown[]) {
    begin(args);
    return Reflect.apply(writeHead, this, args);
  };
  res.write = function writeAndRecord(this: Response, ...args: unknown[]) {
    begin([]);
    if (!isOver) note(args[0], args[1]);
    // A client that was told the length takes it for the end.
    if (!isOver && bytes === length) over(answerNow());
    return Reflect.apply(write, this, args);
  };
  res.end = function endAndRecord(this: Response, ...args: unknown[]) {
    if (!isOver) {
      note(args[0], args[1]);
      over(answerNow());
    }
    return Reflect.apply(end, this, args);
  };
  res.destroy = function destroyAndTell(this: Response, error?: Error) {
    // The error handler, where the handler failed after its client had gone away: there is nobody to answer.
    const isGivenUp = !res.headersSent && res.statusCode === GIVEN_UP;
    // Where nobody has gone away the answer is broken off here, as by a source that fails in its middle.
    if (!isOver && (isGivenUp || !res.destroyed)) {
      isOver = true;
      void listener.ended({ status: GIVEN_UP, fields: [], body: null });
    }
    return Reflect.apply(destroy, this, error === undefined ? [] : [error]);
  };
}

type FieldOf = (name: string) => number | string | readonly string[] | undefined;

function keptFields(fieldOf: FieldOf, headers: readonly string[]): RecordedAnswer['fields'] {
  return headers.flatMap((name) => {
    const value = fieldOf(name);
    if (value === undefined) return [];
    return [[name, typeof value === 'object' ? [...value] : String(value)] as [string, string | string[]]];
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
