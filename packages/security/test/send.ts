import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Sending {
  method?: string | undefined;
  path?: string | undefined;
  headers?: Record<string, string | string[]> | undefined;
  body?: string | undefined;
  socketPath?: string | undefined;
}

/** Sends exactly these header fields, `Host` among them, which `fetch` would not. */
export async function send(url: string, sending: Sending = {}): Promise<Answer> {
  const { method = 'GET', path = '/', headers = {}, body, socketPath } = sending;
  const { hostname, port } = new URL(url);
  const place = socketPath === undefined ? { hostname, port } : { socketPath };
  const asking = request({ ...place, method, path, headers, agent: false });
  asking.end(body);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const chunks = (await response.toArray()) as Buffer[];
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}
