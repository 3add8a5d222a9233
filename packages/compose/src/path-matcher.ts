import { wrongOption } from '@signalbox/options';

// A server behind this one, or a file system, may resolve these to a path outside. Servlet containers drop the
// parameters of a segment first: `..;` is `..`.
const AMBIGUOUS = /\/\.{1,2}(?:[/;]|$)|%2e|%2f|%5c|\\/i;

/** Compiles exact paths and prefixes (`/assets/*`) into one question. */
export function pathMatcher(
  owner: string,
  option: string,
  paths: string | readonly string[],
): (path: string) => boolean {
  const list = typeof paths === 'string' ? [paths] : paths;
  if (!Array.isArray(list)) {
    throw wrongOption(owner, option, 'a list of paths or a function', paths);
  }
  for (const path of list) requirePath(owner, option, path);

  const exact = new Set(list.filter((path) => !path.endsWith('/*')).map(withoutSlash));
  const prefixes = list.filter((path) => path.endsWith('/*')).map((path) => path.slice(0, -1));

  return (path) => {
    if (exact.has(withoutSlash(path))) return true;
    for (const prefix of prefixes) {
      if (path.startsWith(prefix)) return !AMBIGUOUS.test(path);
    }
    return false;
  };
}

function requirePath(owner: string, option: string, path: unknown): void {
  if (typeof path === 'string' && /^\/[^*?#]*$|^\/(?:[^*?#]*\/)?\*$/.test(path)) return;
  throw wrongOption(owner, option, 'paths such as /health or /assets/*', path);
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
