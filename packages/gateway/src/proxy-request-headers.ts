import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { plainAddress } from '@signalbox/context';
import type { Request } from 'express';
import { ProxyLoopError, ProxyRequestError } from './proxy-errors.js';
import {
  AUTHORIZATION,
  CONNECTION,
  CONTENT_ENCODING,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  FORWARDED_FOR,
  HOST,
  namedByConnection,
  withMore,
  PASS,
  REQUEST_ID,
  TE,
  TRACE,
  TRANSFER_ENCODING,
  VIA,
  type HeaderRule,
} from './proxy-header-names.js';
import type { ProxySettings } from './proxy-options.js';

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
  /** A body that was parsed and is written anew has another length, and no coding. */
  private readonly hasParsedBody: boolean;

  constructor(req: ProxyRequest, settings: ProxySettings, hasParsedBody: boolean) {
    this.hasParsedBody = hasParsedBody;
    this.copy(req, settings);
  }

  get hasBody(): boolean {
    return this.isChunked || (this.contentLength !== undefined && this.contentLength > 0);
  }

  private copy(req: ProxyRequest, settings: ProxySettings): void {
    const { rawHeaders } = req;
    const { fields } = this;
    let via = '';
    let named: string[] | undefined;
    let wasForwarded = false;

    for (let index = 0; index < rawHeaders.length; index += 2) {
      const value = rawHeaders[index + 1] ?? '';
      const rule = settings.requestHeaders.rule(rawHeaders[index] ?? '');
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
    if (settings.fields.length > 0) fields.push(...settings.fields);
    fields.push('via', via === '' ? settings.via : `${checkedVia(via, settings)}, ${settings.via}`);
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
        if (!settings.hasOwnAuthorization) this.fields.push(name, value);
        return;
      case REQUEST_ID:
        if (typeof contextOf(req).id !== 'string') this.fields.push(name, value);
        return;
      case TRACE:
        if (contextOf(req).trace === undefined) this.fields.push(name, value);
        return;
      default:
    }
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

/** So many proxies are no route, but a circle whose members do not know each other. */
const MAX_HOPS = 30;

function checkedVia(via: string, settings: ProxySettings): string {
  const hops = via.split(',');
  if (hops.length > MAX_HOPS) throw new ProxyLoopError('The request has come through too many proxies.');
  for (const hop of hops) {
    if (hop.trim().split(/\s+/)[1] === settings.pseudonym) {
      throw new ProxyLoopError('The request has come through this proxy before.');
    }
  }
  return via;
}

/**
 * How long the body is, is not up to the connection. `TE` is what is left of the client's, who has to name it
 * (RFC 9110 section 10.1.4).
 */
const NOT_OF_THE_CONNECTION: ReadonlySet<string> = new Set(['content-length', 'host', 'te']);

function removeNamed(fields: string[], named: readonly string[]): void {
  for (let index = fields.length - 2; index >= 0; index -= 2) {
    const name = (fields[index] ?? '').toLowerCase();
    if (named.includes(name) && !NOT_OF_THE_CONNECTION.has(name)) fields.splice(index, 2);
  }
}

function wrongLength(): ProxyRequestError {
  return new ProxyRequestError(400, 'invalid_framing', 'The Content-Length is not one number.');
}
