/** One OpenAPI path of a route, with the names of its parameters in their order. */
export interface OpenApiPath {
  readonly path: string;
  readonly params: readonly string[];
}

type Piece = { readonly text: string } | { readonly param: string } | { readonly optional: readonly Piece[] };

/** Of a route with many optional parts; each doubles the number of paths. */
const MAX_VARIANTS = 16;

const NAME = /[$_\p{ID_Start}][$\u200c\u200d\p{ID_Continue}]*/uy;

/** Express refuses these in a path unless escaped, so that a template that has them is a RegExp's source. */
const REGEXP_ONLY = /(?<!\\)[()[\]+?!^$|]/;

/**
 * Writes an Express 5 route template the OpenAPI way: `/users/:id` is `/users/{id}`. A route with
 * optional parts has several paths, a RegExp none. A wildcard becomes a parameter, which in OpenAPI
 * holds no slashes; there is no nearer way to say it.
 */
export function openApiPaths(template: string): readonly OpenApiPath[] {
  if (REGEXP_ONLY.test(template)) return [];
  const pieces = parse(template);
  return pieces === undefined ? [] : expand(pieces).map(toPath);
}

function parse(template: string): readonly Piece[] | undefined {
  const open: Piece[][] = [[]];
  for (let at = 0; at < template.length; ) {
    const current = open.at(-1) ?? [];
    const char = template[at] ?? '';
    if (char === ':' || char === '*') {
      const { name, end } = readName(template, at + 1);
      current.push({ param: name });
      at = end;
    } else if (char === '{') {
      open.push([]);
      at += 1;
    } else if (char === '}') {
      if (open.length === 1) return undefined;
      open.pop();
      open.at(-1)?.push({ optional: current });
      at += 1;
    } else {
      const escaped = char === '\\';
      current.push({ text: escaped ? (template[at + 1] ?? '') : char });
      at += escaped ? 2 : 1;
    }
  }
  return open.length === 1 ? open[0] : undefined;
}

/** A plain name, one in quotes, or none, as in the `*` that stands for a mount path nobody knows. */
function readName(template: string, at: number): { name: string; end: number } {
  if (template[at] === '"') {
    const end = template.indexOf('"', at + 1);
    if (end !== -1) return { name: template.slice(at + 1, end), end: end + 1 };
  }
  NAME.lastIndex = at;
  const name = NAME.exec(template)?.[0];
  return name === undefined ? { name: 'wildcard', end: at } : { name, end: at + name.length };
}

/** With and without each optional part, with first. */
function expand(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  let variants: (readonly Piece[])[] = [[]];
  for (const piece of pieces) {
    const ways = 'optional' in piece ? [...expand(piece.optional), []] : [[piece]];
    variants = variants.flatMap((before) => ways.map((way) => [...before, ...way])).slice(0, MAX_VARIANTS);
  }
  return variants;
}

function toPath(pieces: readonly Piece[]): OpenApiPath {
  let path = '';
  const params: string[] = [];
  for (const piece of pieces) {
    if ('text' in piece) path += piece.text;
    if (!('param' in piece)) continue;
    // A name must not stand twice in one path, as it may where a router is mounted under its like.
    const name = params.includes(piece.param) ? `${piece.param}${params.length + 1}` : piece.param;
    params.push(name);
    path += `{${name}}`;
  }
  const trimmed = path.replace(/\/+$/, '');
  return { path: trimmed === '' ? '/' : trimmed, params };
}
