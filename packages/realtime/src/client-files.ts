import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const NAMES = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js'];
const FILES: ReadonlySet<string> = new Set(NAMES.flatMap((name) => [name, `${name}.map`]));

/** A file that was read. */
interface ClientFile {
  readonly body: Buffer;
  readonly etag: string;
}

/** Serves the browser's client that belongs to this Socket.IO, read once. */
export interface ClientFiles {
  /** Whether the request was for one of them; it is answered then. */
  serve(req: IncomingMessage, res: ServerResponse, name: string): boolean;
}

export function clientFiles(): ClientFiles {
  const manifest = createRequire(import.meta.url).resolve('socket.io/package.json');
  const folder = join(dirname(manifest), 'client-dist');
  const read = new Map<string, Promise<ClientFile>>();

  async function readOnce(name: string): Promise<ClientFile> {
    const body = await readFile(join(folder, name));
    const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
    return { body, etag: `"${version}"` };
  }

  async function answer(name: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const pending = read.get(name) ?? readOnce(name);
    read.set(name, pending);
    const { body, etag } = await pending;
    res.setHeader('ETag', etag);
    res.setHeader('Cache-Control', 'public, max-age=0');
    if (req.headers['if-none-match']?.includes(etag)) {
      res.writeHead(304).end();
      return;
    }
    const type = name.endsWith('.map') ? 'application/json' : 'text/javascript';
    res.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Content-Length': body.length });
    res.end(req.method === 'HEAD' ? undefined : body);
  }

  return {
    serve(req, res, name) {
      if (!FILES.has(name) || (req.method !== 'GET' && req.method !== 'HEAD')) return false;
      answer(name, req, res).catch(() => {
        read.delete(name);
        res.statusCode = 404;
        res.end();
      });
      return true;
    },
  };
}
