import { startProgram } from './program.js';

/**
 * What stands before a command that is to have namespaces of its own, such as `--mount` or `--pid`; nothing where the system does
 * not let this process make any.
 */
export async function inNamespaces(...options: readonly string[]): Promise<readonly string[]> {
  const words = ['--user', '--map-root-user', ...options];
  try {
    const { code } = await (await startProgram('unshare', [...words, 'true'])).exited;
    return code === 0 ? ['unshare', ...words] : [];
  } catch {
    return [];
  }
}
