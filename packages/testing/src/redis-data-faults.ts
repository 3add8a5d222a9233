import type { SendCommand } from './redis-command.js';

/** What a Redis can be made to refuse while it runs. */
export interface DataFaults {
  readonly full: () => Promise<void>;
  readonly readOnly: () => Promise<void>;
  readonly flushScripts: () => Promise<void>;
  /** Takes back what was done. */
  readonly heal: () => Promise<void>;
  /** Says that the server has started anew, with its first settings. */
  readonly forget: () => void;
}

export function dataFaults(command: SendCommand): DataFaults {
  /** The settings to return to while it is full. */
  let roomy: { policy: string; maxmemory: string } | undefined;
  let isReadOnly = false;

  const setting = async (name: string): Promise<string> => {
    const reply = await command('CONFIG', 'GET', name);
    return Array.isArray(reply) ? String(reply[1]) : '';
  };

  return {
    async full() {
      roomy ??= { policy: await setting('maxmemory-policy'), maxmemory: await setting('maxmemory') };
      // In this order: no key is evicted on the way.
      await command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await command('CONFIG', 'SET', 'maxmemory', 1);
    },
    async readOnly() {
      // A replica of nobody: nothing listens on port 1, so it keeps its data and refuses every write.
      await command('REPLICAOF', '127.0.0.1', 1);
      isReadOnly = true;
    },
    async flushScripts() {
      await command('SCRIPT', 'FLUSH');
    },
    async heal() {
      if (isReadOnly) await command('REPLICAOF', 'NO', 'ONE');
      isReadOnly = false;
      if (roomy) {
        await command('CONFIG', 'SET', 'maxmemory', roomy.maxmemory);
        await command('CONFIG', 'SET', 'maxmemory-policy', roomy.policy);
      }
      roomy = undefined;
    },
    forget() {
      roomy = undefined;
      isReadOnly = false;
    },
  };
}
