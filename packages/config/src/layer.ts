import type { ConfigProblem } from './config-error.js';

/** One place where values stand: the arguments, the environment, or a file. */
export interface Layer {
  /** `argv`, `env` or `file:<path>`. */
  source: string;
  values: ReadonlyMap<string, unknown>;
  /** How the place writes a variable's name: `PORT`, `--port`. */
  spell(name: string): string;
  /** Where a value came from, as it ends a sentence: `from the environment`. */
  from(name: string): string;
}

/** What a place had to say, and what was wrong with it. */
export interface Reading {
  layer: Layer;
  problems: ConfigProblem[];
}

/** The environment. */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const values = new Map(Object.entries(env).filter(([, value]) => value !== undefined));
  return { source: 'env', values, spell: (name) => name, from: () => 'from the environment' };
}
