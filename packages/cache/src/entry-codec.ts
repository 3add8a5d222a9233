import { checksum } from './checksum.js';
import { Entry, type EntryHead, type Field } from './entry.js';

/** `SBC` and the number of the form: what begins otherwise is not ours. */
const MAGIC = 0x53424331;
/** Magic, checksum, length of the head. */
const PREAMBLE = 12;

/** What a head is written as; absent means the default. */
interface WrittenHead {
  /** The key it was written under: an entry that was copied elsewhere is none. */
  k: string;
  s: number;
  p: string;
  f: readonly Field[];
  /** `bornAt`, `freshUntil`, `revalidateUntil`, `errorUntil`, `keptUntil`, `stamp`, `tookMs` */
  n: number[];
  /** Bit 0 `isPublic`, bit 1 `mustValidate`. */
  b: number;
  e?: string | undefined;
  l?: string | undefined;
  t?: readonly string[] | undefined;
  r?: string | undefined;
  v?: readonly string[] | undefined;
  o?: string | undefined;
  /** Length of the body. */
  z: number;
}

/** An entry as bytes. */
export function encode(key: string, { head, body }: Entry): Buffer {
  const written: WrittenHead = {
    k: key,
    s: head.status,
    p: head.path,
    f: head.fields,
    n: [
      head.bornAt,
      head.freshUntil,
      head.revalidateUntil,
      head.errorUntil,
      head.keptUntil,
      head.stamp,
      head.tookMs,
    ],
    b: (head.isPublic ? 1 : 0) | (head.mustValidate ? 2 : 0),
    e: head.etag,
    l: head.lastModified,
    t: head.tags.length === 0 ? undefined : head.tags,
    r: head.route,
    v: head.vary.length === 0 ? undefined : head.vary,
    o: head.epoch === '' ? undefined : head.epoch,
    z: body.length,
  };
  const text = Buffer.from(JSON.stringify(written));
  const bytes = Buffer.allocUnsafe(PREAMBLE + text.length + body.length);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(text.length, 8);
  text.copy(bytes, PREAMBLE);
  body.copy(bytes, PREAMBLE + text.length);
  bytes.writeUInt32BE(checksum(bytes.subarray(8)), 4);
  return bytes;
}

/** What the bytes under a key say; `undefined` for what was cut or changed, or is somebody else's. */
export function decode(key: string, bytes: Buffer): Entry | undefined {
  if (bytes.length < PREAMBLE || bytes.readUInt32BE(0) !== MAGIC) return undefined;
  if (bytes.readUInt32BE(4) !== checksum(bytes.subarray(8))) return undefined;
  const bodyAt = PREAMBLE + bytes.readUInt32BE(8);
  if (bodyAt > bytes.length) return undefined;
  const head = readHead(key, bytes.toString('utf8', PREAMBLE, bodyAt), bytes.length - bodyAt);
  return head === undefined ? undefined : new Entry(head, bytes.subarray(bodyAt));
}

function readHead(key: string, text: string, bodyLength: number): EntryHead | undefined {
  let written: WrittenHead;
  try {
    written = JSON.parse(text) as WrittenHead;
  } catch {
    return undefined;
  }
  // The checksum says that it is as it was written; this, that it was written by us and for this key.
  if (written === null || typeof written !== 'object' || written.k !== key || written.z !== bodyLength) {
    return undefined;
  }
  const { n: times, f: fields } = written;
  if (!Array.isArray(times) || times.length !== 7 || !Array.isArray(fields)) return undefined;
  const [
    bornAt = 0,
    freshUntil = 0,
    revalidateUntil = 0,
    errorUntil = 0,
    keptUntil = 0,
    stamp = 0,
    tookMs = 0,
  ] = times;
  return {
    status: written.s,
    path: written.p,
    fields,
    bornAt,
    freshUntil,
    revalidateUntil,
    errorUntil,
    keptUntil,
    isPublic: (written.b & 1) !== 0,
    mustValidate: (written.b & 2) !== 0,
    etag: written.e,
    lastModified: written.l,
    tags: written.t ?? [],
    stamp,
    tookMs,
    route: written.r,
    vary: written.v ?? [],
    epoch: written.o ?? '',
  };
}
