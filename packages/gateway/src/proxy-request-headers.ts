import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { plainAddress } from '@signalbox/context';
import type { Request } from 'express';
import { ProxyRequestError } from './proxy-errors.js';
import {
  AUTHORIZATION,
  CONNECTION,
  CONTENT_ENCODING,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  FORWARDED_FOR,
  HOST,
  MAX_FORWARDS,
  namedByConnection,
  withMore,
  PASS,
  removeFields,
  REQUEST_ID,
  TE,
  TRACE,
  TRANSFER_ENCODING,
  VIA,
  type HeaderRule,
} from './proxy-header-names.js';
import type { ProxySettings } from './proxy-options.js';
import { putChosen } from './proxy-own-fields.js';
import { checkedVia } from './proxy-via.js';

/** Express' request, or a plain one where the proxy stands alone. */
export type ProxyRequest = IncomingMessage & Partial<Pick<Request, 'app' | 'baseUrl' | 'ips'>>;

/** A request's header section, as it goes to the upstream, and what was seen on the way. */
export class OutgoingHeaders {
  /** Names and values in turn. */
  readonly fields: string[] = [];
  /** What the request says of its length; `undefined` where it says nothing. */
  contentLength: number | undefined = undefined;
  isChunked = false;
  contentType: string | undefined = undefined;
  contentEncoding: string | undefined = undefined;
  host: string | undefined = undefined;
  /** The upstream knows by the connection who asks, from then on. */
  signsConnectionIn = false;
  /** A body that was parsed and is written anew has another length, and no coding. */
  private readonly hasParsedBody: boolean;

  constructor(req: ProxyRequest, settings: ProxySettings, hasParsedBody: boolean) {
    this.hasParsedBody = hasParsedBody;
    this.copy(req, settings);
    const { chooseHeaders } = settings;
    if (chooseHeaders !== undefined) this.noteSignIn(putChosen(this.fields, chooseHeaders(req)));
  }

  get hasBody(): boolean {
    return this.isChunked || (this.contentLength !== undefined && this.contentLength > 0);
  }

  private copy(req: ProxyRequest, settings: ProxySettings): void {
    const { rawHeaders, headers } = req;
    const { fields } = this;
    let unchanged = 0;
    let via = '';
    let named: string[] | undefined;
    let wasForwarded = false;

    for (let index = 0; index < rawHeaders.length; index += 2) {
      const value = rawHeaders[index + 1] ?? '';
      const rule = settings.requestHeaders.rule(rawHeaders[index] ?? '');
      if (headers[rule.lowerCase] === value) unchanged += 1;
      switch (rule.action) {
        case PASS:
          fields.push(rule.name, value);
          break;
        case VIA:
          via = via === '' ? value : `${via}, ${value}`;
          break;
        case CONNECTION:
          named = withMore(named, namedByConnection(value));
          break;
        case FORWARDED_FOR:
          wasForwarded = true;
          break;
        default:
          this.note(req, rule, value, settings);
      }
    }
    if (this.isChunked && this.contentLength !== undefined) {
      // Which of the two counts is where smuggling begins (RFC 9112 section 6.3).
      throw new ProxyRequestError(
        400,
        'invalid_framing',
        'Content-Length and Transfer-Encoding exclude each other.',
      );
    }
    // Before ours are added: a client cannot ask for those to be taken out.
    if (named !== undefined) removeNamed(fields, named);
    // Nearly always all of them came once, and are as they came.
    if (2 * unchanged !== rawHeaders.length || unchanged !== Object.keys(headers).length) {
      this.heedChanges(req, settings);
    }
    if (settings.fields.length > 0) fields.push(...settings.fields);
    const hop = req.httpVersion === '1.1' ? settings.via : `${req.httpVersion} ${settings.pseudonym}`;
    fields.push('via', via === '' ? hop : `${checkedVia(via, settings.pseudonym)}, ${hop}`);
    this.identify(req, settings, wasForwarded);
    this.trace(req, settings);
  }

  /** The fields that matter to the exchange itself. */
  private note(
    req: ProxyRequest,
    { name, action }: HeaderRule,
    value: string,
    settings: ProxySettings,
  ): void {
    switch (action) {
      case HOST:
        // RFC 9112 section 3.2: with two of them, whom the request is for is anybody's guess.
        if (this.host !== undefined)
          throw new ProxyRequestError(400, 'invalid_host', 'There is more than one Host.');
        this.host = value;
        if (settings.preserveHost) this.fields.push('host', value);
        return;
      case CONTENT_LENGTH:
        if (!/^\d{1,15}$/.test(value) || this.contentLength !== undefined) throw wrongLength();
        this.contentLength = Number(value);
        if (!this.hasParsedBody && this.contentLength > 0) this.fields.push(name, value);
        return;
      case TRANSFER_ENCODING:
        this.noteCoding(req, value);
        return;
      case CONTENT_TYPE:
        this.contentType = value;
        // The body that was parsed decides about its charset.
        if (!this.hasParsedBody) this.fields.push(name, value);
        return;
      case CONTENT_ENCODING:
        this.contentEncoding = value;
        if (!this.hasParsedBody) this.fields.push(name, value);
        return;
      case TE:
        // The rest of TE is about this connection; trailers of an answer are passed on.
        if (/\btrailers\b/i.test(value)) this.fields.push('te', 'trailers');
        return;
      case AUTHORIZATION:
        if (settings.hasOwnAuthorization) return;
        this.fields.push(name, value);
        this.noteSignIn(value);
        return;
      case MAX_FORWARDS:
        this.fields.push(name, req.method === 'OPTIONS' ? oneHopLess(value) : value);
        return;
      default:
        if (isPassed(action, req)) this.fields.push(name, value);
    }
  }

  /** What middlewares have changed in `req.headers`, taken out or added counts, as with other proxies of Node's. */
  private heedChanges(req: ProxyRequest, settings: ProxySettings): void {
    const { rawHeaders, headers } = req;
    const came = new Map<string, string[]>();
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] ?? '').toLowerCase();
      const values = came.get(name);
      if (values === undefined) came.set(name, [rawHeaders[index + 1] ?? '']);
      else values.push(rawHeaders[index + 1] ?? '');
    }
    for (const [name, values] of came) {
      const now = Object.hasOwn(headers, name) ? headers[name] : undefined;
      if (!isSame(values, now)) this.replace(name, now, req, settings);
    }
    for (const name of Object.keys(headers)) {
      if (!came.has(name)) this.replace(name, headers[name], req, settings);
    }
  }

  /** @param given a name, in whatever case a middleware wrote it */
  private replace(
    given: string,
    value: string | readonly string[] | undefined,
    req: ProxyRequest,
    settings: ProxySettings,
  ): void {
    const rule = settings.ownRequestHeaders.rule(given);
    const { lowerCase: name, action } = rule;
    if (!OF_MIDDLEWARES.has(action)) return;
    removeFields(this.fields, (other) => other === name);
    if (action === CONTENT_TYPE) this.contentType = undefined;
    if (action === CONTENT_ENCODING) this.contentEncoding = undefined;
    for (const each of [value ?? []].flat()) this.note(req, rule, each, settings);
  }

  private noteSignIn(authorization = ''): void {
    this.signsConnectionIn ||= OF_ITS_CONNECTION.test(authorization);
  }

  private noteCoding(req: ProxyRequest, value: string): void {
    // RFC 9112 section 6.1: no other coding is understood here, and HTTP/1.0 knows none.
    if (value.toLowerCase() !== 'chunked' || this.isChunked) {
      throw new ProxyRequestError(
        501,
        'unsupported_transfer_coding',
        'The only transfer coding is "chunked".',
      );
    }
    if (req.httpVersionMinor === 0 && req.httpVersionMajor === 1) {
      throw new ProxyRequestError(400, 'invalid_framing', 'HTTP/1.0 has no transfer codings.');
    }
    this.isChunked = true;
  }

  /** Says for whom this request is made, from what is known for sure. */
  private identify(req: ProxyRequest, settings: ProxySettings, wasForwarded: boolean): void {
    if (!settings.forwarded) return;
    const peer = addressOfPeer(req);
    const trusts = req.app?.get('trust proxy fn') as TrustFunction | undefined;
    const isTrusted = trusts?.(req.socket.remoteAddress, 0) === true;
    const express = isTrusted ? (req as Request) : undefined;
    const { headers: own } = settings.upstream;
    const proto = own['x-forwarded-proto'] ?? express?.protocol ?? (isEncrypted(req) ? 'https' : 'http');
    const host = own['x-forwarded-host'] ?? express?.host ?? this.host;

    const ips = wasForwarded ? (express?.ips ?? []) : [];
    const chain =
      ips.length === 0 ? peer : [...ips.map(plainAddress), ...(peer === '' ? [] : [peer])].join(', ');
    if (chain !== '') this.say('x-forwarded-for', chain, settings);
    this.say('x-forwarded-proto', proto, settings);
    if (host !== undefined) this.say('x-forwarded-host', host, settings);
    if (req.baseUrl !== undefined && req.baseUrl !== '')
      this.say('x-forwarded-prefix', req.baseUrl, settings);
    this.say('forwarded', forwardedField(chain, host, proto), settings);
  }

  /** What the options say of it stands alone: of two values an upstream takes either, or both for one. */
  private say(name: string, value: string, { upstream }: ProxySettings): void {
    if (upstream.headers[name] === undefined) this.fields.push(name, value);
  }

  /** The request's own id and place in the trace, where `requestContext()` has given it those. */
  private trace(req: ProxyRequest, settings: ProxySettings): void {
    const { id, trace } = contextOf(req);
    if (typeof id === 'string') this.say('x-request-id', id, settings);
    if (trace === undefined) return;
    this.say('traceparent', trace.traceparent, settings);
    if (trace.tracestate !== undefined) this.say('tracestate', trace.tracestate, settings);
  }
}

/** Of these a middleware's word counts. The others are about the connection, or told from it. */
const OF_MIDDLEWARES: ReadonlySet<number> = new Set([
  PASS,
  AUTHORIZATION,
  REQUEST_ID,
  TRACE,
  CONTENT_TYPE,
  CONTENT_ENCODING,
]);

function isPassed(action: number, req: ProxyRequest): boolean {
  switch (action) {
    case PASS:
      return true;
    case REQUEST_ID:
      return typeof contextOf(req).id !== 'string';
    case TRACE:
      return contextOf(req).trace === undefined;
    default:
      return false;
  }
}

/** Windows' ways to sign in: the next one to ask by the same connection would be taken for this one (RFC 4559 section 6). */
const OF_ITS_CONNECTION = /^(?:negotiate|ntlm)\b/i;

type TrustFunction = (address: string | undefined, distance: number) => boolean;

interface Context {
  id?: unknown;
  trace?: { traceparent: string; tracestate?: string | undefined } | undefined;
}

function contextOf(req: ProxyRequest): Context {
  return req as Context;
}

function isEncrypted({ socket }: ProxyRequest): boolean {
  return 'encrypted' in socket;
}

/** `''` over a Unix socket. */
function addressOfPeer({ socket }: ProxyRequest): string {
  const { remoteAddress } = socket;
  if (remoteAddress === undefined) return '';
  return remoteAddress.includes(':') ? plainAddress(remoteAddress) : remoteAddress;
}

/** RFC 7239 section 4: an element for each hop; IPv6 in brackets and quotes. */
function forwardedField(chain: string, host: string | undefined, proto: string): string {
  const rest = `${host === undefined ? '' : `;host="${host.replace(/["\\]/g, '')}"`};proto=${proto}`;
  if (chain === '') return `for=unknown${rest}`;
  if (!chain.includes(',')) return forwardedNode(chain) + rest;
  const nodes = chain.split(', ').map(forwardedNode);
  return nodes.join(', ') + rest;
}

/** What a trusted proxy has written need not be an address alone: some add the port, and anything may stand there. */
function forwardedNode(address: string): string {
  const family = isIP(address);
  if (family !== 0) return family === 6 ? `for="[${address}]"` : `for=${address}`;
  return NODE_WITH_PORT.test(address) ? `for="${address}"` : 'for=unknown';
}

const NODE_WITH_PORT = /^(?:[\d.]+|\[[\da-f:.]+\]):\d{1,5}$/i;

/** RFC 9110 section 7.6.2; what is no number goes on as it is. */
function oneHopLess(value: string): string {
  return /^\d+$/.test(value) ? String(Math.min(Number(value) - 1, Number.MAX_SAFE_INTEGER)) : value;
}

/**
 * How long the body is, is not up to the connection. `TE` is what is left of the client's, who has to name it
 * (RFC 9110 section 10.1.4).
 */
const NOT_OF_THE_CONNECTION: ReadonlySet<string> = new Set(['content-length', 'host', 'te']);

function removeNamed(fields: string[], named: readonly string[]): void {
  removeFields(fields, (name) => named.includes(name) && !NOT_OF_THE_CONNECTION.has(name));
}

/** Of a field that came several times Node makes one. Of some it takes the first alone, and so do we. */
function isSame(values: readonly string[], now: string | readonly string[] | undefined): boolean {
  if (Array.isArray(now)) return values.join('\n') === now.join('\n');
  return now === values.join(', ') || now === values.join('; ');
}

function wrongLength(): ProxyRequestError {
  return new ProxyRequestError(400, 'invalid_framing', 'The Content-Length is not one number.');
}
