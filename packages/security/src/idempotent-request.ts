import { createHmac } from 'node:crypto';
import { routeTemplate } from '@signalbox/context';
import type { Request } from 'express';

/** A String of RFC 9651 section 3.3.3, as the draft has it, without escapes. */
const QUOTED = /^"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"$/;
/** What most clients send: the same without the quotes, as far as that cannot be several. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,255}$/;

/** The key in an `Idempotency-Key` field, quoted or not; `undefined` where it is none. */
export function idempotencyKey(field: string): string | undefined {
  return QUOTED.exec(field)?.[1] ?? (BARE.test(field) ? field : undefined);
}

/** Under which the store knows the key: of one caller, for one route. */
export function requestId(secret: Buffer, scope: string, key: string, req: Request): string {
  const route = `${req.method} ${routeTemplate(req) ?? pathOf(req)}`;
  // As JSON, so that no part can end in the next one.
  return createHmac('sha256', secret)
    .update(JSON.stringify([scope, route, key]))
    .digest('base64url');
}

/** A digest of what is asked, to tell a repetition from another request. */
export function fingerprintOf(secret: Buffer, req: Request): string {
  const digest = createHmac('sha256', secret).update(
    JSON.stringify([req.method, req.originalUrl, contentTypeOf(req)]),
  );
  digest.update(bodyOf(req));
  for (const { field, file } of filesOf(req)) {
    digest.update(JSON.stringify([field, ...FILE_PROPERTIES.map((name) => file[name])]));
    const content = file['buffer'] ?? file['data'];
    if (content instanceof Uint8Array) digest.update(content);
  }
  return digest.digest('base64url');
}

type UploadedFile = Readonly<Record<string, unknown>>;

/** What stays the same when a file is sent again. `md5` and `hash` speak for those whose content is kept on disk. */
const FILE_PROPERTIES = [
  'fieldname',
  'originalname',
  'name',
  'originalFilename',
  'mimetype',
  'size',
  'md5',
  'hash',
];

/**
 * What parsers of uploads put beside the body: multer `file` and `files`, a list or lists by field; express-fileupload
 * and formidable `files`, by field.
 */
function filesOf(req: Request): { field: string; file: UploadedFile }[] {
  const { file, files } = req as { file?: unknown; files?: unknown };
  return Object.entries({ file, ...(isObject(files) ? files : undefined) }).flatMap(([field, value]) =>
    [value].flat().flatMap((each) => (isObject(each) ? [{ field, file: each }] : [])),
  );
}

function isObject(value: unknown): value is UploadedFile {
  return typeof value === 'object' && value !== null;
}

/** Of a form without its boundary, which clients make up anew for each try. */
function contentTypeOf({ headers }: Request): string {
  return (headers['content-type'] ?? '').replace(/;\s*boundary=(?:"[^"]*"|[^;"]*)/i, '');
}

function bodyOf(req: Request): string | Uint8Array {
  const body: unknown = req.body;
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  // Not parsed (yet): its length is what is known of it.
  if (body === undefined) return `length ${req.headers['content-length'] ?? ''}`;
  try {
    return JSON.stringify(body) ?? '';
  } catch {
    return `length ${req.headers['content-length'] ?? ''}`;
  }
}

function pathOf({ originalUrl }: Request): string {
  const query = originalUrl.indexOf('?');
  return query === -1 ? originalUrl : originalUrl.slice(0, query);
}
