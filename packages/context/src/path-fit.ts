import { UNKNOWN_MOUNT, type PathPart } from './router-walk.js';

/** Whether the path of a request can have come to a route by these mounts. */
export type PathFit = (path: string) => boolean;

/** The tokens of path-to-regexp 8, the syntax of Express 5. */
const TOKENS =
  /\\(?<escaped>.)|(?<brace>[{}])|(?<sigil>[:*])(?:"(?:\\.|[^"\\])*"|[\p{ID_Continue}$]+)|(?<text>.)/gsu;

const SPECIAL = /[.*+?^${}()|[\]\\/]/g;

/**
 * Compiles mounts and route, which take the path apart one after the other, as Express' routers do.
 */
export function compileFit(parts: readonly PathPart[]): PathFit {
  if (parts.includes(UNKNOWN_MOUNT)) return () => true;
  const matchers = parts.map((part, i) =>
    part instanceof RegExp ? stateless(part) : compile(part, i === parts.length - 1),
  );

  return (path) => {
    let rest = path;
    for (const [i, matcher] of matchers.entries()) {
      const match = matcher.exec(rest);
      if (match === null) return false;
      if (i < matchers.length - 1) rest = rest.slice(match[0].length);
      if (!rest.startsWith('/')) rest = `/${rest}`;
    }
    return true;
  };
}

function compile(template: string, isRoute: boolean): RegExp {
  const path = template.replace(/\/+$/, '');
  let source = '';
  for (const { groups } of path.matchAll(TOKENS)) source += sourceOf(groups ?? {});
  return new RegExp(isRoute ? `^${source}/?$` : `^${source}(?=/|$)`, 'iu');
}

function sourceOf({ escaped, brace, sigil, text }: Record<string, string | undefined>): string {
  if (brace !== undefined) return brace === '{' ? '(?:' : ')?';
  if (sigil !== undefined) return sigil === ':' ? '[^/]+?' : '.+?';
  return (escaped ?? text ?? '').replace(SPECIAL, String.raw`\$&`);
}

/** One with the g or y flag would begin where it last ended. */
function stateless(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
}
