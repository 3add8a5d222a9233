import escapeHtml from 'escape-html';
import type { Failure } from './failure.js';
import { NO_PAYLOAD } from './http-error.js';
import { titleOfStatus } from './status.js';

/** Where an error happened, as far as the caller may know. */
export interface ErrorContext {
  /** The path that was asked for, without its query. */
  path?: string | undefined;
  method?: string | undefined;
  requestId?: string | undefined;
  /** ISO 8601. */
  timestamp: string;
  /** Lines of the stack, in development only. */
  traceback?: readonly string[] | undefined;
}

/** The `error` object: the same in HTTP bodies and in socket acknowledgements. */
export interface ErrorObject {
  /** The HTTP status. */
  code: number;
  /** The stable string that `HttpError` calls `code`. */
  type: string;
  message: string;
  timestamp: string;
  path?: string | undefined;
  method?: string | undefined;
  requestId?: string | undefined;
  details?: unknown;
  traceback?: readonly string[] | undefined;
}

/** The representations of an error. */
export type ErrorFormat = 'envelope' | 'problem' | 'html' | 'text';

export const CONTENT_TYPES: Readonly<Record<ErrorFormat, string>> = {
  envelope: 'application/json; charset=utf-8',
  problem: 'application/problem+json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  text: 'text/plain; charset=utf-8',
};

export function errorObjectOf(failure: Failure, context: ErrorContext): ErrorObject {
  const { timestamp, path, method, requestId, traceback } = context;
  return {
    code: failure.status,
    type: failure.code,
    message: failure.message,
    timestamp,
    path,
    method,
    requestId,
    details: failure.details,
    traceback,
  };
}

export function renderEnvelope(failure: Failure, context: ErrorContext): string {
  if (failure.payload === NO_PAYLOAD && failure.details === undefined && context.traceback === undefined) {
    return renderPlainEnvelope(failure, context);
  }
  return JSON.stringify({ ...failure.payload, error: errorObjectOf(failure, context) });
}

/** The same for what most errors are, at half the cost: only texts from elsewhere need to be escaped. */
function renderPlainEnvelope({ status, code, message }: Failure, context: ErrorContext): string {
  const { timestamp, path, method, requestId } = context;
  let body = `{"error":{"code":${status},"type":${JSON.stringify(code)},"message":${JSON.stringify(message)},"timestamp":"${timestamp}"`;
  if (path !== undefined) body += `,"path":${JSON.stringify(path)}`;
  if (method !== undefined) body += `,"method":${JSON.stringify(method)}`;
  if (requestId !== undefined) body += `,"requestId":${JSON.stringify(requestId)}`;
  return `${body}}}`;
}

/** RFC 9457 section 3.1. Extension members (section 3.2) carry what the envelope has beyond it. */
export function renderProblem(failure: Failure, context: ErrorContext, typeBase: string): string {
  return JSON.stringify({
    ...failure.payload,
    type: typeBase + failure.code,
    title: titleOfStatus(failure.status),
    status: failure.status,
    detail: failure.message,
    instance: context.path,
    method: context.method,
    requestId: context.requestId,
    timestamp: context.timestamp,
    details: failure.details,
    traceback: context.traceback,
  });
}

/** A page without style or script, so that it fits any Content-Security-Policy. */
export function renderHtml(failure: Failure, context: ErrorContext): string {
  const title = escapeHtml(`${failure.status} ${titleOfStatus(failure.status)}`);
  const requestId = context.requestId ? `<p>Request <code>${escapeHtml(context.requestId)}</code></p>` : '';
  const traceback = context.traceback ? `<pre>${escapeHtml(context.traceback.join('\n'))}</pre>` : '';
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width">' +
    `<title>${title}</title></head><body><h1>${title}</h1>` +
    `<p>${escapeHtml(failure.message)}</p>${requestId}${traceback}</body></html>\n`
  );
}

export function renderText(failure: Failure, context: ErrorContext): string {
  const lines = [`${failure.status} ${titleOfStatus(failure.status)}: ${failure.message}`];
  if (context.requestId) lines.push(`Request ${context.requestId}`);
  if (context.traceback) lines.push(...context.traceback);
  return `${lines.join('\n')}\n`;
}
