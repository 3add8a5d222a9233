import { IncomingMessage, OutgoingMessage } from 'node:http';

/**
 * What is worth knowing of a request, a response or a stream: member by member they would be thousands
 * of values, sockets and header blocks among them. `undefined` for anything else.
 */
export function describeHttp(value: object): object | string | undefined {
  if (value instanceof IncomingMessage) return describeIncoming(value);
  if (value instanceof OutgoingMessage) return describeOutgoing(value);
  if ('pipe' in value && typeof value.pipe === 'function') return `[${value.constructor.name}]`;
  return undefined;
}

function describeIncoming(message: IncomingMessage): object {
  const { headers, statusCode } = message;
  // What a client receives is an IncomingMessage too, with a status in place of a method.
  if (typeof statusCode === 'number') return { status: statusCode, headers };

  const { id, originalUrl } = message as IncomingMessage & { id?: unknown; originalUrl?: unknown };
  return {
    id: typeof id === 'string' || typeof id === 'number' ? id : undefined,
    method: message.method,
    url: typeof originalUrl === 'string' ? originalUrl : message.url,
    headers,
  };
}

function describeOutgoing(message: OutgoingMessage): object {
  const headers = message.getHeaders();
  if ('statusCode' in message) return { status: message.statusCode, headers };
  if ('method' in message) return { method: message.method, headers };
  return { headers };
}
