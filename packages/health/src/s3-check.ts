import { refuseUnknownOptions, requireText, wrongSecret } from '@signalbox/options';
import { AwsClient } from 'aws4fetch';
import type { CheckFunction } from './check.js';
import { requireHttpUrl } from './http-check.js';

export interface S3CheckOptions {
  /** Where the storage is, such as `https://s3.eu-central-1.amazonaws.com` or `http://minio:9000`. */
  endpoint: string;
  bucket: string;
  /** @default 'us-east-1' */
  region?: string | undefined;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

const OPTIONS = [
  'endpoint',
  'bucket',
  'region',
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
] as const satisfies readonly (keyof S3CheckOptions)[];

/** What S3 means by the status of a HEAD, which has no body to explain itself. */
const MEANINGS: Readonly<Record<number, string>> = {
  301: 'the bucket is in another region',
  400: 'the request was refused, perhaps for its region or session token',
  403: 'the credentials are refused or may not list the bucket',
  404: 'there is no such bucket',
};

/**
 * Asks S3-compatible storage for a bucket: a signed `HeadBucket`, path style, which needs the right to
 * list it. Storage with an unsigned health page, such as MinIO's `/minio/health/live`, can be asked
 * with `httpCheck` instead.
 *
 * @throws {TypeError} when an option is missing or wrong
 */
export function s3Check(options: S3CheckOptions): CheckFunction {
  refuseUnknownOptions('s3Check', options, OPTIONS);
  const { endpoint, bucket, region = 'us-east-1', accessKeyId, secretAccessKey, sessionToken } = options;
  const base = requireHttpUrl('s3Check', 'endpoint', endpoint);
  requireText('s3Check', 'bucket', bucket);
  requireText('s3Check', 'region', region);
  requireText('s3Check', 'accessKeyId', accessKeyId);
  if (typeof secretAccessKey !== 'string' || secretAccessKey === '') {
    throw wrongSecret('s3Check', 'secretAccessKey', 'a non-empty string', secretAccessKey);
  }

  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: 's3',
    region,
  });
  const url = `${base.origin}${base.pathname.replace(/\/$/, '')}/${encodeURIComponent(bucket)}`;

  return async function askS3(signal) {
    const request = await client.sign(url, { method: 'HEAD' });
    const { status, ok } = await fetch(request, { redirect: 'manual', signal });
    if (ok) return;
    const meaning = MEANINGS[status];
    throw new Error(meaning === undefined ? `answered ${status}` : `answered ${status}: ${meaning}`);
  };
}
