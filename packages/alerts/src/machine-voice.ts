import { createServer, type Server } from 'node:net';

/** Which of the processes of a machine tells what all of them see alike, while they cannot ask Redis. */
export interface MachineVoice {
  /** Whether it is this one. The first that asks is it, until it stops to be or its process ends. */
  isMine(): Promise<boolean>;
  release(): void;
}

/**
 * A name that one process of a machine can hold: a Unix socket in Linux' abstract namespace, which leaves no file behind
 * and is free again the moment that its process is gone. On other systems every process has its own voice.
 */
export function machineVoice(name: string): MachineVoice {
  let server: Server | undefined;
  return {
    isMine() {
      if (process.platform !== 'linux' || server !== undefined) return Promise.resolve(true);
      return new Promise((resolve) => {
        const candidate = createServer((socket) => void socket.destroy());
        candidate.once('error', (error: NodeJS.ErrnoException) => {
          // For any other reason than that it is taken: better twice than never.
          resolve(error.code !== 'EADDRINUSE');
        });
        // Exclusive: in a worker of a cluster the primary would else share it among all.
        candidate.listen({ path: `\0${name}`, exclusive: true }, () => {
          server = candidate.unref();
          resolve(true);
        });
      });
    },
    release() {
      server?.close();
      server = undefined;
    },
  };
}
