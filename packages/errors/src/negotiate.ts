import type { Request } from 'express';
import type { ErrorFormat } from './render.js';

const FORMATS: Readonly<Record<string, ErrorFormat>> = {
  'application/json': 'envelope',
  'application/problem+json': 'problem',
  'text/html': 'html',
  'text/plain': 'text',
};

const OFFERS = {
  envelope: ['application/json', 'application/problem+json', 'text/html', 'text/plain'],
  problem: ['application/problem+json', 'application/json', 'text/html', 'text/plain'],
};

/** The format that `Accept` asks for (RFC 9110 section 12.5.1), the default where it asks for none of ours. */
export function acceptedFormat(req: Request, preferred: 'envelope' | 'problem'): ErrorFormat {
  const { accept } = req.headers;
  if (accept === undefined || accept === '*/*') return preferred;
  const type = req.accepts(OFFERS[preferred]);
  // A client that asks for application/json of an API that answers with problems wants JSON, not the envelope.
  if (type === 'application/json' && preferred === 'problem') return 'problem';
  return (type !== false && FORMATS[type]) || preferred;
}
