import { request, type Agent, type IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Sending {
  method?: string | undefined;
  /** As it is sent; by default the URL's. */
  path?: string | undefined;
  /** Sent as they are, also `Host` and several of one name. */
  headers?: Record<string, string | string[]> | undefined;
  body?: string | undefined;
  agent?: Agent | undefined;
  socketPath?: string | undefined;
}

/** One request, on a connection of its own: `fetch` tidies paths, leaves out fields, and adds some. */
export function send(url: string, sending: Sending = {}): Promise<Answer> {
  const { method = 'GET', path, headers, body, agent = false, socketPath } = sending;
  const place = {
    ...(path === undefined ? {} : { path }),
    ...(socketPath === undefined ? {} : { socketPath }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...place, method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What the body says; of one that is no JSON, nothing. */
export function jsonOf({ headers, text }: Answer): unknown {
  return /json/.test(headers['content-type'] ?? '') && text !== '' ? JSON.parse(text) : {};
}
