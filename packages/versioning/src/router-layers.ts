import type { RequestHandler } from 'express';

/** What is read of a layer of Express' router. */
export interface Layer {
  readonly handle: RequestHandler;
  readonly route?: LayerRoute | undefined;
  readonly rawPath?: unknown;
  readonly slash?: boolean;
  /** Only of layers of our own making. */
  readonly isOverridden?: boolean;
  /** Kept here by routers before 2.3, after `match`. */
  readonly path?: string | undefined;
  match?(path: string): { readonly path?: string } | boolean;
}

export interface LayerRoute {
  readonly path: unknown;
  /** In lower case, `_all` for those of `route.all`. */
  readonly methods: Readonly<Record<string, boolean>>;
}

/** The layers of a router; none for any other function. */
export function layersOf(handle: RequestHandler): readonly Layer[] {
  const stack: unknown = Reflect.get(handle, 'stack');
  return Array.isArray(stack) ? stack : [];
}

/** In upper case, with the HEAD that comes with GET. What is for every method is for none in particular. */
export function methodsOf({ methods }: LayerRoute): string[] {
  const named = Object.keys(methods).filter((method) => method !== '_all');
  if (named.includes('get') && !named.includes('head')) named.push('head');
  return named.map((method) => method.toUpperCase());
}
