import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Question {
  readonly method?: string;
  /** As it is sent, also where no URL could hold it. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly question: Question;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The first 256 kB. */
  readonly body: string;
}

const MAX_BODY = 256 * 1024;

export type Ask = (question: Question) => Promise<Answer>;

/** Asks the app at that address, each time on a connection of its own. A certificate is judged elsewhere. */
export function asker(base: string, timeoutMs: number, extra: Readonly<Record<string, string>>): Ask {
  const { protocol, hostname, port } = new URL(base);
  const send = protocol === 'https:' ? httpsRequest : httpRequest;
  return (question) =>
    new Promise((resolve, reject) => {
      const { method = 'GET', path, headers = {}, body } = question;
      const request = send(
        {
          host: hostname.replace(/^\[|\]$/g, ''),
          port: port === '' ? undefined : port,
          method,
          path,
          agent: false,
          rejectUnauthorized: false,
          signal: AbortSignal.timeout(timeoutMs),
          headers: { 'user-agent': 'signalbox-doctor', ...extra, ...headers },
        },
        (response) => {
          let text = '';
          const answer = (): void =>
            resolve({ question, status: response.statusCode ?? 0, headers: response.headers, body: text });
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part;
            if (text.length <= MAX_BODY) return;
            answer();
            response.destroy();
          });
          response.on('end', answer).on('error', reject);
        },
      );
      request.on('error', reject).end(body);
    });
}
