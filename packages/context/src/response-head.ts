import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Status and fields of a response. */
export interface Head {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly fields: Readonly<ReturnType<ServerResponse['getHeaders']>>;
}

export function headOf(res: ServerResponse): Head {
  const { statusCode, statusMessage } = res;
  return { statusCode, statusMessage, fields: res.getHeaders() };
}

/** Without `Set-Cookie`: cookies are not of one answer alone. */
export function fieldsChangedSince({ fields }: Head, res: ServerResponse): string[] {
  const names = new Set([...res.getHeaderNames(), ...Object.keys(fields)]);
  names.delete('set-cookie');
  return [...names].filter((name) => fields[name] !== res.getHeader(name));
}

/** Brings status and fields back as they were, but for the cookies that were set since. */
export function restoreHead(head: Head, res: ServerResponse): void {
  res.statusCode = head.statusCode;
  res.statusMessage = head.statusMessage;
  for (const name of fieldsChangedSince(head, res)) {
    const value = head.fields[name];
    if (value === undefined) res.removeHeader(name);
    else res.setHeader(name, value);
  }
}

/** Puts what `writeHead` is given into the response, where it can be looked at. */
export function applyHead(res: ServerResponse, args: readonly unknown[]): void {
  const [status, message] = args;
  if (typeof status === 'number') res.statusCode = status;
  if (typeof message === 'string') res.statusMessage = message;
  for (const { name, value } of fieldsGiven(args).values()) res.setHeader(name, value);
}

/** The fields that `writeHead` is given, by their names in lower case. */
export function fieldsGiven(
  args: readonly unknown[],
): Map<string, { name: string; value: number | string | readonly string[] }> {
  const given = args.findLast((arg) => typeof arg === 'object' && arg !== null);
  const fields = new Map<string, { name: string; value: FieldValue }>();
  for (const [name, value] of given === undefined ? [] : pairsOf(given)) {
    if (value === undefined) continue;
    const before = fields.get(name.toLowerCase());
    if (before === undefined) fields.set(name.toLowerCase(), { name, value });
    else before.value = [before.value, value].flat().map(String);
  }
  return fields;
}

/** @param fields as `writeHead` takes them; of a list some versions of Node take the last one of a name alone */
export function fieldsWith(fields: object, cookies: readonly string[]): object {
  const pairs = pairsOf(fields);
  const isCookie = ([name]: readonly [string, unknown]): boolean => name.toLowerCase() === 'set-cookie';
  if (!pairs.some(isCookie)) return fields;
  const given = pairs.filter(isCookie).flatMap(([, value]) => value);
  const others = pairs.filter((pair) => !isCookie(pair));
  return [...others, ['Set-Cookie', [...new Set([...given, ...cookies])]]].flat(1);
}

/** @param change gets names in lower case; without a value a field is left out */
export function changedFields(
  fields: object,
  change: (name: string, value: FieldValue) => FieldValue | undefined,
): object {
  const pairs = pairsOf(fields);
  const changed = pairs.flatMap(([name, before]): [string, FieldValue | undefined][] => {
    if (before === undefined) return [[name, before]];
    const value = change(name.toLowerCase(), before);
    return value === undefined ? [] : [[name, value]];
  });
  const isSame =
    changed.length === pairs.length && changed.every(([, value], at) => value === pairs[at]?.[1]);
  return isSame ? fields : changed.flat(1);
}

type FieldValue = number | string | readonly string[];

/** By name, names and values in turn, or pairs of them. */
function pairsOf(fields: object): [name: string, value: FieldValue | undefined][] {
  if (!Array.isArray(fields)) return Object.entries(fields as OutgoingHttpHeaders);
  const list: unknown[] = Array.isArray(fields[0]) ? fields.flat(1) : fields;
  return list.flatMap((name, at): [string, FieldValue | undefined][] =>
    at % 2 === 0 ? [[String(name), list[at + 1] as FieldValue | undefined]] : [],
  );
}
