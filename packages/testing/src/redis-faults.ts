import type { FaultProxy } from './fault-proxy.js';
import { waitUntil } from './program.js';
import { ANSWER_TIMEOUT_MS, type SendCommand } from './redis-command.js';
import { dataFaults } from './redis-data-faults.js';
import type { RedisProcess } from './redis-process.js';
import { takeTurns } from './turns.js';

/**
 * What can befall a Redis. Faults of the network (`slow`, `partition`, `blackhole`, `refuse`, `reset`) take each
 * other's place; those of the process (`stop`, `kill`) and of the data (`full`, `readOnly`) add to them. `heal` undoes
 * them all. Calls take effect one after the other, in their order.
 */
export interface RedisFaults {
  /** Freezes the server (SIGSTOP): connections stay open, and what is sent waits for `resume`. */
  readonly stop: () => Promise<void>;
  readonly resume: () => Promise<void>;
  /** Ends the server at once (SIGKILL). Its connections are reset, new ones refused; its data are gone. */
  readonly kill: () => Promise<void>;
  /** Starts the server again on the same port, empty, with its first settings; kills it first if it runs. */
  readonly restart: () => Promise<void>;
  /** Every answer comes `ms` later. */
  readonly slow: (ms: number) => Promise<void>;
  /** Nothing arrives, either way; connections stay open, and `heal` delivers what was sent, as TCP does. */
  readonly partition: () => Promise<void>;
  /** Whatever is sent is lost; connections stay open, and silent also after `heal`. New ones work then. */
  readonly blackhole: () => Promise<void>;
  /** Open connections are reset, new ones refused, while the server lives and keeps its data. */
  readonly refuse: () => Promise<void>;
  /** Open connections are reset, and new ones as soon as they are made. */
  readonly reset: () => Promise<void>;
  /** Commands that need memory are answered with OOM; nothing is evicted. */
  readonly full: () => Promise<void>;
  /** Writes are answered with READONLY, as by a primary that a failover has made a replica. */
  readonly readOnly: () => Promise<void>;
  /** Forgets the scripts: EVALSHA is answered with NOSCRIPT. */
  readonly flushScripts: () => Promise<void>;
  /** Undoes every fault, starts a dead server again, and waits until it answers. */
  readonly heal: () => Promise<void>;
  /** Ends the server and the proxy. Doing so again does nothing. */
  readonly close: () => Promise<void>;
}

export function redisFaults(server: RedisProcess, proxy: FaultProxy, command: SendCommand): RedisFaults {
  const data = dataFaults(command);
  const inTurn = takeTurns();

  /** The network's fault of now; a dead server refuses, whatever it is. */
  let network = proxy.pass;
  let isStopped = false;
  let closing: Promise<void> | undefined;

  const step = (name: string, action: () => Promise<void>): Promise<void> =>
    inTurn(async () => {
      if (closing) throw new Error(`redisWithFaults: ${name}() came after close()`);
      await action();
    });
  /** A step that needs a server, stopped or not. */
  const running = (name: string, action: () => Promise<void>): Promise<void> =>
    step(name, async () => {
      if (server.isRunning()) return action();
      throw new Error(`redisWithFaults: ${name}() needs a server that runs: restart() or heal() first`);
    });
  /** A step that needs a server that answers. */
  const asking = (name: string, action: () => Promise<void>): Promise<void> =>
    running(name, async () => {
      if (!isStopped) return action();
      throw new Error(
        `redisWithFaults: ${name}() needs an answer of the server, which is stopped: resume() first`,
      );
    });
  const impairing = (name: string, fault: () => Promise<void>): Promise<void> =>
    step(name, async () => {
      network = fault;
      if (server.isRunning()) await network();
    });

  const freeze = async (stopped: boolean): Promise<void> => {
    server.signal(stopped ? 'SIGSTOP' : 'SIGCONT');
    isStopped = stopped;
  };
  const startAgain = async (): Promise<void> => {
    await server.restart();
    isStopped = false;
    data.forget();
    await network();
  };
  const heal = async (): Promise<void> => {
    network = proxy.pass;
    if (!server.isRunning()) return startAgain();
    await freeze(false);
    await data.heal();
    await network();
    const isWell = await waitUntil(server.answers, ANSWER_TIMEOUT_MS);
    if (!isWell) throw new Error(`redisWithFaults: heal() got no answer within ${ANSWER_TIMEOUT_MS} ms`);
  };

  return {
    stop: () => running('stop', () => freeze(true)),
    resume: () => running('resume', () => freeze(false)),
    kill: () =>
      step('kill', async () => {
        await server.kill();
        await proxy.refuse();
      }),
    restart: () => step('restart', startAgain),
    slow: async (ms) => {
      if (Number.isFinite(ms) && ms >= 0) return impairing('slow', () => proxy.delay(ms));
      throw new TypeError(`redisWithFaults: slow() needs "ms" of at least 0, got ${String(ms)}`);
    },
    partition: () => impairing('partition', proxy.partition),
    blackhole: () => impairing('blackhole', proxy.blackhole),
    refuse: () => impairing('refuse', proxy.refuse),
    reset: () => impairing('reset', proxy.reset),
    full: () => asking('full', data.full),
    readOnly: () => asking('readOnly', data.readOnly),
    flushScripts: () => asking('flushScripts', data.flushScripts),
    heal: () => step('heal', heal),
    close() {
      closing ??= inTurn(async () => {
        await Promise.all([server.close(), proxy.close()]);
      });
      return closing;
    },
  };
}
