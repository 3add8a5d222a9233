import { createHash } from 'node:crypto';
import { commandName } from './command-name.js';
import { RedisReplyError } from './errors.js';
import type { RedisLink } from './link.js';
import type { RedisArgument, RedisReply } from './reply.js';
import { shown } from './option-checks.js';
import type { Sender } from './sender.js';

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
  async function evaluate(
    lua: string,
    args: readonly RedisArgument[],
    asBytes: boolean,
    label: string,
    error: unknown,
  ): Promise<RedisReply> {
    if (!(error instanceof RedisReplyError) || error.replyCode !== 'NOSCRIPT') throw error;
    return sender.send('eval', [lua, ...args.slice(1)], asBytes, label);
  }

  return {
    script(name, lua, options = {}) {
      if (typeof name !== 'string' || name === '') {
        throw new TypeError(`script: "name" must be a non-empty string, got ${shown(name)}`);
      }
      if (typeof lua !== 'string' || lua.trim() === '') {
        throw new TypeError(`script: "lua" must be the text of a script, got ${shown(lua)}`);
      }
      const { bytes = false } = options;
      const sha = shaOf(lua);

      return function runScript(keys, args) {
        const all = [sha, keys.length, ...keys, ...args];
        return sender
          .send('evalsha', all, bytes, name)
          .catch((error: unknown) => evaluate(lua, all, bytes, name, error));
      };
    },

    sendCommand(...args) {
      const [command = '', first = '', second] = args;
      const name = commandName(command);
      if (name === 'evalsha') {
        const rest = args.slice(1);
        const answer = sender.send(name, rest, false, name);
        const lua = loaded.get(first);
        if (lua === undefined) return answer;
        return answer.catch((error: unknown) => evaluate(lua, rest, false, name, error));
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
