import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { rawServer, reset } from './upstream-server.js';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const JSON_HEAD = `${OK}Content-Type: application/json\r\n`;

/** What an upstream does instead of answering as it should. */
export interface Liar {
  what: string;
  answer: (socket: Socket) => void;
}

function says(what: string, bytes: string | Buffer): Liar {
  return { what, answer: (socket) => void socket.end(bytes, 'latin1') };
}

/** Sends `first`, and then `piece` as long as somebody takes it. */
function saysForEver(what: string, first: string, piece: string): Liar {
  return {
    what,
    answer(socket) {
      socket.write(first, 'latin1');
      const send = (): void => {
        if (socket.destroyed) return;
        // Not more at a time than an event loop that others need, too, can bear.
        if (socket.write(piece, 'latin1')) setTimeout(send, 1);
        else socket.once('drain', send);
      };
      send();
    },
  };
}

/** Those that never come to a header section that could be passed on. */
export const LIARS_BEFORE_THE_ANSWER: readonly Liar[] = [
  says('two lengths that differ', `${JSON_HEAD}Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}`),
  says('the same length twice', `${JSON_HEAD}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`),
  says('a list of lengths', `${JSON_HEAD}Content-Length: 2, 2\r\n\r\n{}`),
  says('a length below zero', `${JSON_HEAD}Content-Length: -2\r\n\r\n{}`),
  says('a length that overflows', `${JSON_HEAD}Content-Length: 99999999999999999999\r\n\r\n{}`),
  says(
    'a length and chunks',
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ),
  says(
    'chunked before another coding',
    `${OK}Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ),
  says('a field with a bare carriage return', `${JSON_HEAD}X-A: b\rX-C: d\r\nContent-Length: 2\r\n\r\n{}`),
  says('a field with a NUL', `${JSON_HEAD}X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}`),
  says('a name with a blank', `${JSON_HEAD}X A: b\r\nContent-Length: 2\r\n\r\n{}`),
  says('a field without a name', `${JSON_HEAD}: b\r\nContent-Length: 2\r\n\r\n{}`),
  says('lines that end in line feeds', '\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\n{}'),
  says('a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}'),
  says('a status below 100', 'HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\n{}'),
  says('HTTP/2', 'HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}'),
  says('HTTP/0.9', '<html>{}</html>'),
  says('ten thousand fields', `${JSON_HEAD}${'A: b\r\n'.repeat(10_000)}Content-Length: 2\r\n\r\n{}`),
  says('a field of a megabyte', `${JSON_HEAD}X: ${'y'.repeat(1_000_000)}\r\nContent-Length: 2\r\n\r\n{}`),
  saysForEver('a reason without end', 'HTTP/1.1 200 ', 'y'.repeat(10_000)),
  saysForEver('fields without end', OK, 'A: b\r\n'.repeat(1_000)),
  saysForEver('early hints without end', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100)),
  saysForEver('102 without end', '', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)),
  says('100, which nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${JSON_HEAD}Content-Length: 2\r\n\r\n{}`),
  says(
    '101, which nobody asked for',
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nPRI * HTTP/2.0\r\n\r\n`,
  ),
  { what: 'a reset', answer: reset },
];

/** Those whose body is not what it was said to be. */
export const LIARS_IN_THE_BODY: readonly Liar[] = [
  says('less than its length', `${JSON_HEAD}Content-Length: 100\r\n\r\n{"results":[`),
  says('a chunk size that is no number', `${CHUNKED}2\r\n{}\r\nxyz\r\n`),
  says('a chunk size below zero', `${CHUNKED}2\r\n{}\r\n-2\r\n{}\r\n0\r\n\r\n`),
  says('a chunk size that overflows', `${CHUNKED}2\r\n{}\r\n${'f'.repeat(17)}\r\n{}`),
  says('a chunk longer than it says', `${CHUNKED}1\r\n{}{}{}\r\n0\r\n\r\n`),
  says('a chunk that ends in a line feed', `${CHUNKED}2\r\n{}\n0\r\n\r\n`),
  says('no last chunk', `${CHUNKED}2\r\n{}\r\n`),
  saysForEver('a chunk extension without end', `${CHUNKED}2;a=`, 'x'.repeat(10_000)),
  saysForEver('trailers without end', `${CHUNKED}2\r\n{}\r\n0\r\n`, 'A: b\r\n'.repeat(1_000)),
  says('a trailer with a bare carriage return', `${CHUNKED}2\r\n{}\r\n0\r\nX-A: b\rX-C: d\r\n\r\n`),
  {
    what: 'half of it, and a reset',
    answer: (socket) => {
      socket.write(`${JSON_HEAD}Content-Length: 100\r\n\r\n{"results":[`, () => reset(socket));
    },
  },
  saysForEver('a byte now and then', `${JSON_HEAD}Content-Length: 100000\r\n\r\n`, ' '),
  saysForEver('an empty line now and then', `${JSON_HEAD}Content-Length: 100000\r\n\r\n`, ''),
];

const BOMB = gzipSync(Buffer.alloc(50_000_000));

/** As small on its way as any other answer. */
export const GZIP_BOMB: Liar = says(
  'a gzip bomb',
  Buffer.concat([
    Buffer.from(`${JSON_HEAD}Content-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n`),
    BOMB,
  ]),
);

/** A server that answers so to every request. */
export function lyingServer({ answer }: Liar): Promise<string> {
  return rawServer((socket) => {
    socket.on('data', () => {
      if (!socket.writableEnded) answer(socket);
    });
  });
}
