import type { Response } from 'express';

type Headers = Record<string, unknown> | readonly unknown[];

/** What sends the head where nobody has. */
const SENDING = ['write', 'end', 'flushHeaders'] as const;

/**
 * Adds to `Link` when the response's head is sent: a handler that sets its own by then does not take these away.
 *
 * @param links asked for at that time
 */
export function addLinksWhenSent(res: Response, links: () => readonly string[]): void {
  const writeHead: unknown = Reflect.get(res, 'writeHead');
  if (typeof writeHead !== 'function') return;
  let isAdded = false;

  function append(): void {
    if (isAdded || res.headersSent) return;
    isAdded = true;
    for (const link of links()) res.append('Link', link);
  }

  Reflect.set(res, 'writeHead', function writeHeadWithLinks(this: Response, ...args: unknown[]): unknown {
    Reflect.set(res, 'writeHead', writeHead);
    const place = isAdded ? -1 : args.findIndex((arg) => typeof arg === 'object' && arg !== null);
    const given = place === -1 ? undefined : withLinks(args[place] as Headers, links());
    // What is given here takes the place of what was set.
    if (given === undefined) append();
    else {
      isAdded = true;
      args[place] = given;
    }
    return Reflect.apply(writeHead, this, args);
  });
  // Node calls `writeHead` after these. A cache above looks at the fields before, to keep them with the answer.
  for (const name of SENDING) {
    const inner: unknown = Reflect.get(res, name);
    if (typeof inner !== 'function') continue;
    Reflect.set(res, name, function withLinksBefore(this: Response, ...args: unknown[]): unknown {
      append();
      return Reflect.apply(inner, this, args);
    });
  }
}

/** `undefined` where there is no `Link` among them. */
function withLinks(headers: Headers, links: readonly string[]): Headers | undefined {
  const entries = entriesOf(headers);
  const own = entries.filter(([name]) => isLink(name)).map(([, value]) => value);
  if (own.length === 0) return undefined;
  // One value: of several in a list Node may keep the last.
  const link = ['Link', [...own.flat(), ...links].join(', ')];
  const all = [...entries.filter(([name]) => !isLink(name)), link];
  return Array.isArray(headers) ? all.flat() : Object.fromEntries(all);
}

/** What `writeHead` takes: an object, a list of names and values, or one of pairs. */
function entriesOf(headers: Headers): (readonly unknown[])[] {
  if (!Array.isArray(headers)) return Object.entries(headers);
  if (headers.every((each) => Array.isArray(each))) return headers;
  return headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1]]] : []));
}

function isLink(name: unknown): boolean {
  return String(name).toLowerCase() === 'link';
}
