import { unescape } from 'node:querystring';
import {
  parsedUrl,
  refuseUnknownOptions,
  requireInteger,
  requireOneOf,
  requireText,
  wrongOption,
} from '@signalbox/options';
import type { CheckFunction } from './check.js';

export interface HttpCheckOptions {
  /** @default 'GET' */
  method?: 'GET' | 'HEAD' | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Statuses that mean healthy.
   * @default 200 to 299
   */
  expectStatus?: readonly number[] | undefined;
}

/**
 * Asks an HTTP service and looks at the status. Redirects are not followed, the body is not read.
 *
 * @param url http or https; user and password in it are sent as Basic credentials
 * @throws {TypeError} when the URL or an option is wrong
 *
 * @example
 * check('searxng', httpCheck('http://searxng:8080/healthz'), { timeoutMs: 2_000 });
 */
export function httpCheck(url: string | URL, options: HttpCheckOptions = {}): CheckFunction {
  refuseUnknownOptions('httpCheck', options, ['method', 'headers', 'expectStatus']);
  const { method = 'GET', headers = {}, expectStatus } = options;
  requireOneOf('httpCheck', 'method', method, ['GET', 'HEAD']);
  for (const status of expectStatus ?? []) requireInteger('httpCheck', 'expectStatus', status, 100);
  const target = requireHttpUrl('httpCheck', 'url', url);
  const fields = new Headers({ ...headers });
  moveCredentials(target, fields);

  return async function askHttp(signal) {
    const response = await fetch(target, { method, headers: fields, redirect: 'manual', signal });
    await response.body?.cancel();
    const isExpected = expectStatus === undefined ? response.ok : expectStatus.includes(response.status);
    if (!isExpected) throw new Error(`answered ${response.status}`);
  };
}

/** @throws {TypeError} naming the option, when it is not an http(s) URL */
export function requireHttpUrl(owner: string, option: string, url: string | URL): URL {
  requireText(owner, option, String(url));
  const parsed = parsedUrl(String(url));
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed;
  throw wrongOption(owner, option, 'an http(s) URL', String(url));
}

/** fetch refuses a URL with credentials (https://fetch.spec.whatwg.org/#dom-request, step 5). */
function moveCredentials(url: URL, headers: Headers): void {
  if (url.username === '' && url.password === '') return;
  // Unlike decodeURIComponent it takes a percent sign that nobody has encoded for one.
  const pair = `${unescape(url.username)}:${unescape(url.password)}`;
  if (!headers.has('authorization')) {
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  }
  url.username = '';
  url.password = '';
}
