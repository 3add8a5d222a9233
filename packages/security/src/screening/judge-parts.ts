import type { Request } from 'express';
import { percentDecode } from './decode.js';
import { judgeBody } from './judge-body.js';
import type { ScreeningKind } from './kinds.js';
import { isPlain, judgeName } from './names.js';
import type { KindOf, ResolvedScreening } from './options.js';
import { judgeField, kindOf, refuse, type Verdict } from './verdict.js';

/** Judges the parts of a request, from the cheapest to the dearest; the first that is refused ends it. */
export function judgeRequest(req: Request, options: ResolvedScreening): Verdict | undefined {
  const { url, originalUrl } = req;
  let verdict: Verdict | undefined;
  if (options.path !== false) verdict = judgePathname(originalUrl, options.path);
  if (verdict === undefined && options.query !== undefined) verdict = judgeQuery(url, options.query, options);
  if (verdict === undefined && options.params !== undefined)
    verdict = judgeParams(req.params, options.params);
  if (verdict === undefined && options.headers.length > 0) verdict = judgeHeaders(req, options.headers);
  if (verdict === undefined && options.cookies !== undefined)
    verdict = judgeCookies(req.headers.cookie, options.cookies);
  if (verdict === undefined && options.body !== undefined && req.body !== undefined) {
    verdict = judgeBody(req.body as unknown, options.body, options.limits);
  }
  return verdict;
}

function judgePathname(url: string, kind: ScreeningKind): Verdict | undefined {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  if (isPlain(path, true)) return undefined;
  return judgeField(percentDecode(path), kind, 'path');
}

/**
 * Reads the query as it came: `req.query` is parsed anew by Express at every access, and by then duplicates are
 * arrays, nesting is objects, and what was too much is gone.
 */
function judgeQuery(
  url: string,
  kinds: KindOf,
  { limits, repeatable }: ResolvedScreening,
): Verdict | undefined {
  const start = url.indexOf('?') + 1;
  if (start === 0 || start === url.length) return undefined;
  if (url.length - start > limits.maxLength) return refuse('query', 'limit.size');
  const seen: string[] = [];

  for (let from = start; from <= url.length; ) {
    let to = url.indexOf('&', from);
    if (to < 0) to = url.length;
    if (to > from) {
      const equals = url.indexOf('=', from);
      const nameEnd = equals < 0 || equals > to ? to : equals;
      const name = percentDecode(url.slice(from, nameEnd), true);
      if (seen.length === limits.maxParameters) return refuse('query', 'limit.keys');
      if (
        repeatable !== true &&
        name !== '' &&
        seen.includes(name) &&
        !name.endsWith('[]') &&
        !repeatable.has(name)
      ) {
        return refuse('query', 'parameter.duplicate');
      }
      seen.push(name);
      const verdict = judgeParameter(name, url, nameEnd + 1, to, kinds, limits.maxDepth);
      if (verdict !== undefined) return verdict;
    }
    from = to + 1;
  }
  return undefined;
}

function judgeParameter(
  name: string,
  url: string,
  from: number,
  to: number,
  kinds: KindOf,
  maxDepth: number,
): Verdict | undefined {
  const named = judgeName(name, 'query', maxDepth);
  if (named !== undefined) return named;
  const kind = kindOf(kinds, name);
  if (kind === false || from >= to) return undefined;
  const raw = url.slice(from, to);
  if (isPlain(raw, false)) return undefined;
  return judgeField(percentDecode(raw, true), kind, 'query');
}

function judgeParams(
  params: Readonly<Record<string, string | string[]>>,
  kinds: KindOf,
): Verdict | undefined {
  for (const name of Object.keys(params)) {
    const kind = kindOf(kinds, name);
    if (kind === false) continue;
    // A wildcard's value is the list of its segments.
    const value = params[name] as string | string[];
    const verdict = judgeField(typeof value === 'string' ? value : value.join('/'), kind, 'params');
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

function judgeHeaders(req: Request, headers: ResolvedScreening['headers']): Verdict | undefined {
  for (const [name, kind] of headers) {
    const value = req.headers[name];
    if (value === undefined) continue;
    const verdict = judgeField(typeof value === 'string' ? value : value.join(', '), kind, 'headers');
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

function judgeCookies(header: string | undefined, kinds: KindOf): Verdict | undefined {
  if (header === undefined) return undefined;
  for (let from = 0; from < header.length; ) {
    let to = header.indexOf(';', from);
    if (to < 0) to = header.length;
    const equals = header.indexOf('=', from);
    if (equals > 0 && equals < to) {
      const kind = kindOf(kinds, header.slice(from, equals).trim());
      const value = header.slice(equals + 1, to);
      if (kind !== false && !isPlain(value, false)) {
        const verdict = judgeField(percentDecode(value), kind, 'cookies');
        if (verdict !== undefined) return verdict;
      }
    }
    from = to + 1;
  }
  return undefined;
}
