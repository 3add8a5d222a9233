import { createHash } from 'node:crypto';
import { requireText, wrongOption } from '@signalbox/options';
import { commandName } from './command-name.js';
import { RedisReplyError } from './errors.js';
import type { DecodedScriptOptions, RedisLink, RedisScript } from './link.js';
import type { RedisArgument, RedisReply } from './reply.js';
import type { Follow, Sender } from './sender.js';

/** Remembers at most so many scripts that were loaded by `SCRIPT LOAD`. */
const MAX_LOADED = 1_000;

export interface Scripts {
  script: RedisLink['script'];
  sendCommand: RedisLink['sendCommand'];
}

export function createScripts(sender: Sender): Scripts {
  /** The text of each script, by the SHA-1 of it. */
  const loaded = new Map<string, string>();

  function shaOf(lua: string): string {
    return createHash('sha1').update(lua).digest('hex');
  }

  /**
   * NOSCRIPT says that nothing was run, so the same call may be made again, with the text: that cannot
   * fail so, whatever was flushed in between.
   */
  function evaluate(
    lua: string,
    args: readonly RedisArgument[],
    asBytes: boolean,
    label: string,
    error: Error,
    decode?: Follow['decode'],
  ): Promise<RedisReply> | undefined {
    if (!(error instanceof RedisReplyError) || error.replyCode !== 'NOSCRIPT') return undefined;
    return sender.send('eval', [lua, ...args.slice(1)], asBytes, label, undefined, { decode });
  }

  function script<Answer = RedisReply>(
    name: string,
    lua: string,
    options: Partial<DecodedScriptOptions<Answer>> = {},
  ): RedisScript<Answer> {
    requireText('script', 'name', name);
    if (typeof lua !== 'string' || lua.trim() === '') {
      throw wrongOption('script', 'lua', 'the text of a script', lua);
    }
    const { bytes = false, decode } = options;
    const sha = shaOf(lua);

    return function runScript(keys, args) {
      const all = [sha, keys.length, ...keys, ...args];
      const answer = sender.send('evalsha', all, bytes, name, undefined, {
        decode,
        retry: (error) => evaluate(lua, all, bytes, name, error, decode),
      });
      // It is what `decode` makes of it.
      return answer as Promise<Answer & RedisReply>;
    };
  }

  return {
    script,

    sendCommand(...args) {
      const [command = '', first = '', second] = args;
      const name = commandName(command, args.slice(1));
      if (name === 'evalsha') {
        const rest = args.slice(1);
        const lua = loaded.get(first);
        const retry =
          lua === undefined ? undefined : (error: Error) => evaluate(lua, rest, false, name, error);
        return sender.send(name, rest, false, name, undefined, { retry });
      }
      if (name === 'script' && first.toLowerCase() === 'load' && second !== undefined && args.length === 3) {
        const sha = shaOf(second);
        // Forgets the oldest: a program has a handful, and one that makes them up has a bug.
        if (loaded.size >= MAX_LOADED) loaded.delete(loaded.keys().next().value ?? '');
        loaded.set(sha, second);
        return Promise.resolve(sha);
      }
      return sender.send(name, args.slice(1), false, name);
    },
  };
}
