import type { Request } from 'express';
import type { HttpError } from './http-error.js';

export interface ErrorHandlerOptions {
  /**
   * What a client gets that has no preference: the envelope, or `application/problem+json` (RFC 9457).
   * @default 'envelope'
   */
  format?: 'envelope' | 'problem' | undefined;
  /**
   * Shows the stack of a 5xx to the caller.
   * @default false
   */
  development?: boolean | undefined;
  /**
   * Start of the problem document's `type`; the stable string of the error is put behind it.
   * @default 'urn:signalbox:problem:'
   */
  problemTypeBase?: string | undefined;
  /**
   * Sends `Cache-Control: no-store` on every error but 404 and 410.
   * @default true
   */
  noStore?: boolean | undefined;
  /**
   * Names of cookies that a 5xx may still set. What a failed handler wanted to set is not sent otherwise;
   * a 4xx keeps all cookies.
   * @default []
   */
  keepCookies?: readonly string[] | undefined;
  /** Turns an error of yours into an {@link HttpError}; `undefined` leaves it to the handler. */
  map?: ((error: unknown, req: Request) => HttpError | undefined) | undefined;
}

export interface ResolvedOptions {
  format: 'envelope' | 'problem';
  development: boolean;
  problemTypeBase: string;
  noStore: boolean;
  keepCookies: readonly string[];
  map: (error: unknown, req: Request) => HttpError | undefined;
}

const KNOWN = ['format', 'development', 'problemTypeBase', 'noStore', 'keepCookies', 'map'];

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: ErrorHandlerOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name))
      refuse(name, `one of the known options (${KNOWN.join(', ')})`, 'an unknown one');
  }
  const {
    format = 'envelope',
    development = false,
    problemTypeBase = 'urn:signalbox:problem:',
    noStore = true,
    keepCookies = [],
    map = () => undefined,
  } = options;

  if (format !== 'envelope' && format !== 'problem') refuse('format', '"envelope" or "problem"', format);
  if (typeof development !== 'boolean') refuse('development', 'true or false', development);
  if (!isUrl(problemTypeBase)) refuse('problemTypeBase', 'an absolute URI', problemTypeBase);
  if (typeof noStore !== 'boolean') refuse('noStore', 'true or false', noStore);
  if (!Array.isArray(keepCookies)) refuse('keepCookies', 'an array of cookie names', keepCookies);
  if (typeof map !== 'function') refuse('map', 'a function', map);

  return { format, development, problemTypeBase, noStore, keepCookies, map };
}

function refuse(option: string, wanted: string, got: unknown): never {
  throw new TypeError(`errorHandler: "${option}" must be ${wanted}, got ${String(got)}`);
}

/** Not `URL.canParse`: that of Node 20 and 22 says no to letters such as `ü` once it has been called some thousand times. */
function isUrl(text: string): boolean {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}
