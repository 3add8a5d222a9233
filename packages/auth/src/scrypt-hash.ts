import { scrypt } from 'node:crypto';

/** What a hash costs: N = 2^`logN` rounds over blocks of 128 · `blockSize` bytes, `parallelism` times (RFC 7914). */
export interface ScryptCost {
  readonly logN: number;
  readonly blockSize: number;
  readonly parallelism: number;
}

/** A hash as it is kept, taken apart. */
export interface ScryptHash extends ScryptCost {
  readonly salt: Buffer;
  readonly digest: Buffer;
}

export const SALT_BYTES = 16;
export const DIGEST_BYTES = 32;

/** More than that no hash of ours needs; a row that somebody made up must not eat the machine. */
const MAX_LOG_N = 20;
const MAX_MEMORY_BYTES = 2 ** 28;
const MAX_PARALLELISM = 16;

/** PHC string format: `$scrypt$ln=17,r=8,p=1$<salt>$<digest>`, Base64 without padding. */
const PHC =
  /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,2}),p=([1-9]\d?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

export function parseHash(text: unknown): ScryptHash | undefined {
  if (typeof text !== 'string' || text.length > 256) return undefined;
  const [, logN, blockSize, parallelism, salt, digest] = PHC.exec(text) ?? [];
  if (salt === undefined || digest === undefined) return undefined;
  const hash = {
    logN: Number(logN),
    blockSize: Number(blockSize),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    digest: Buffer.from(digest, 'base64'),
  };
  return isAffordable(hash) ? hash : undefined;
}

export function formatHash({ logN, blockSize, parallelism, salt, digest }: ScryptHash): string {
  return `$scrypt$ln=${logN},r=${blockSize},p=${parallelism}$${unpadded(salt)}$${unpadded(digest)}`;
}

export function isAffordable({ logN, blockSize, parallelism }: ScryptCost): boolean {
  return (
    logN <= MAX_LOG_N && 128 * blockSize * 2 ** logN <= MAX_MEMORY_BYTES && parallelism <= MAX_PARALLELISM
  );
}

/** In a thread of libuv's pool: the event loop goes on. */
export function derive(password: string, salt: Buffer, length: number, cost: ScryptCost): Promise<Buffer> {
  const { logN, blockSize: r, parallelism: p } = cost;
  const N = 2 ** logN;
  // Node's own bound is 32 MiB. What OpenSSL counts is the table and a block for each lane.
  const maxmem = 128 * r * (N + p + 4);
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, { N, r, p, maxmem }, (error, digest) => {
      if (error === null) resolve(digest);
      else reject(error);
    });
  });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
