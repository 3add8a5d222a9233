import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from './consumer.js';
import { packages, root } from './workspace.js';

/**
 * A folder in which a program finds every package of the workspace, compiled as it is published, and whatever a
 * README may tell its reader to install.
 */
export function programFolder(): string {
  mkdirSync(join(root, 'test/.run'), { recursive: true });
  const folder = mkdtempSync(join(root, 'test/.run/use-'));
  mkdirSync(join(folder, 'node_modules/@signalbox'), { recursive: true });
  for (const { short, folder: target } of packages) {
    symlinkSync(target, join(folder, 'node_modules/@signalbox', short));
  }
  for (const { folder: from } of packages) linkDependencies(folder, from);
  linkDependencies(folder, join(root, 'test'));
  return folder;
}

/** Puts the package's own dependencies, development ones too, beside the program. */
function linkDependencies(folder: string, from: string): void {
  const modules = join(from, 'node_modules');
  if (!existsSync(modules)) return;
  for (const entry of readdirSync(modules)) {
    if (entry === '@signalbox' || entry.startsWith('.')) continue;
    const names = entry.startsWith('@')
      ? readdirSync(join(modules, entry)).map((name) => `${entry}/${name}`)
      : [entry];
    for (const name of names) {
      const link = join(folder, 'node_modules', name);
      if (existsSync(link)) continue;
      mkdirSync(join(link, '..'), { recursive: true });
      symlinkSync(join(modules, name), link);
    }
  }
}

interface TypeCheckOptions {
  /** Whether each parameter has to say what it is: not in programs that run as JavaScript too. */
  noImplicitAny: boolean;
}

/** Rejects with what TypeScript says of the `.mts` files of the folder. */
export async function typeCheck(folder: string, { noImplicitAny }: TypeCheckOptions): Promise<void> {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    strict: true,
    noImplicitAny,
    skipLibCheck: true,
    noEmit: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
  await runToEnd(join(root, 'node_modules/.bin/tsc'), ['-p', folder], folder);
}
