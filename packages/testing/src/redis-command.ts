import { connect } from 'node:net';

/** What Redis answers. An error reply, inside of an array too, is an `Error` with its text. */
export type RedisReply = string | number | null | Error | readonly RedisReply[];

/** A command as its words: `['SET', 'key', 1]`. */
export type RedisWords = readonly (string | number | Uint8Array)[];

/** Sends one command to a certain server. */
export type SendCommand = (...words: RedisWords) => Promise<RedisReply>;

/** Far more than a server takes that works, and less than a test may. */
export const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Sends one command over a connection of its own and waits for the answer.
 *
 * @throws when the reply is an error, when nobody listens, or when the time is up
 */
export async function sendRedisCommand(
  port: number,
  words: RedisWords,
  { password, timeoutMs }: { password: string | undefined; timeoutMs: number },
): Promise<RedisReply> {
  const commands = password === undefined ? [words] : [['AUTH', password], words];
  const replies = await exchange(port, commands, timeoutMs);
  const failure = replies.find((reply) => reply instanceof Error);
  if (failure) throw failure;
  return replies.at(-1) ?? null;
}

function exchange(port: number, commands: readonly RedisWords[], timeoutMs: number): Promise<RedisReply[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const name = String(commands.at(-1)?.[0]);
    const fail = (reason: string): void =>
      settle(() => reject(new Error(`Redis did not answer ${name}: ${reason}`)));
    const timer = setTimeout(() => fail(`not within ${timeoutMs} ms; is it stopped?`), timeoutMs);
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      outcome();
    };

    let received = Buffer.alloc(0);
    socket.once('connect', () => socket.write(Buffer.concat(commands.map(encode))));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const replies = decode(received, commands.length);
      if (replies) settle(() => resolve(replies));
    });
    socket.once('error', ({ message }) => fail(message));
    socket.once('end', () => fail('it closed the connection'));
  });
}

/** https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server */
function encode(words: RedisWords): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = typeof word === 'object' ? Buffer.from(word) : Buffer.from(String(word));
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** The first `count` replies, or `undefined` while they are not whole. */
function decode(bytes: Buffer, count: number): RedisReply[] | undefined {
  const replies: RedisReply[] = [];
  let at = 0;
  while (replies.length < count) {
    const read = decodeOne(bytes, at);
    if (read === undefined) return undefined;
    replies.push(read.reply);
    at = read.end;
  }
  return replies;
}

function decodeOne(bytes: Buffer, start: number): { reply: RedisReply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;

  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: new Error(line), end };
    case ':':
      return { reply: Number(line), end };
    case '$': {
      const length = Number(line);
      if (length === -1) return { reply: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { reply: bytes.toString('utf8', end, end + length), end: end + length + 2 };
    }
    case '*': {
      const count = Number(line);
      if (count === -1) return { reply: null, end };
      const items: RedisReply[] = [];
      let at = end;
      while (items.length < count) {
        const item = decodeOne(bytes, at);
        if (item === undefined) return undefined;
        items.push(item.reply);
        at = item.end;
      }
      return { reply: items, end: at };
    }
    default:
      return { reply: new Error(`This is no Redis: it answered ${JSON.stringify(line)}`), end };
  }
}
