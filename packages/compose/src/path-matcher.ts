// A server behind this one, or a file system, may resolve these to a path outside.
const AMBIGUOUS = /\/\.{1,2}(?:\/|$)|%2e|%2f|%5c|\\/i;

/** Compiles exact paths and prefixes (`/assets/*`) into one question. */
export function pathMatcher(caller: string, paths: string | readonly string[]): (path: string) => boolean {
  const list = typeof paths === 'string' ? [paths] : paths;
  if (!Array.isArray(list)) {
    throw new TypeError(`${caller}: paths must be a list of paths or a function, got ${String(paths)}`);
  }
  for (const path of list) requirePath(caller, path);

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

function requirePath(caller: string, path: unknown): void {
  if (typeof path === 'string' && /^\/[^*?#]*$|^\/(?:[^*?#]*\/)?\*$/.test(path)) return;
  throw new TypeError(`${caller}: a path must be like /health or /assets/*, got ${JSON.stringify(path)}`);
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
