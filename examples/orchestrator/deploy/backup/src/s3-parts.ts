import { readFile, rm } from 'node:fs/promises';
import { BackupError } from './failure.js';
import { readPiece, writeText } from './files.js';
import { drain, field, StoreError, type S3Request } from './s3-request.js';

/** S3 takes no more. */
const MAX_PARTS = 10_000;

export interface PartedFile {
  readonly key: string;
  readonly file: string;
  readonly size: number;
  readonly partBytes: number;
}

/** What has been sent of a file. It is kept beside it, so that the next process goes on from here. */
interface Progress {
  readonly uploadId: string;
  readonly partBytes: number;
  /** The ETag of each part that the store has. */
  readonly parts: string[];
}

/**
 * Sends a file in parts. The store shows the object when it has all of them; a part that does not get through is
 * sent again, and what another process has sent is not.
 */
export async function sendInParts(request: S3Request, what: PartedFile): Promise<void> {
  if (what.size > what.partBytes * MAX_PARTS) {
    throw new BackupError(`${what.key} has more than ${MAX_PARTS} parts; BACKUP_PART_SIZE must be larger`);
  }
  const notes = `${what.file}.upload.json`;
  const earlier = await readProgress(notes, what);
  try {
    await sendRest(request, what, notes, earlier ?? (await begin(request, what)));
  } catch (error) {
    // The store has forgotten it, as it does after some days.
    if (earlier === undefined || !(error instanceof StoreError) || error.code !== 'NoSuchUpload') throw error;
    await sendRest(request, what, notes, await begin(request, what));
  }
  await rm(notes, { force: true });
}

async function begin(request: S3Request, { key, partBytes }: PartedFile): Promise<Progress> {
  const answer = await request({ method: 'POST', key, query: { uploads: '' } }, (response) =>
    response.text(),
  );
  const uploadId = field(answer, 'UploadId');
  if (uploadId === undefined) throw new BackupError(`the store began no upload of ${key}`);
  return { uploadId, partBytes, parts: [] };
}

async function sendRest(
  request: S3Request,
  { key, file, size, partBytes }: PartedFile,
  notes: string,
  { uploadId, parts }: Progress,
): Promise<void> {
  const count = Math.ceil(size / partBytes);
  for (let index = parts.length; index < count; index += 1) {
    const from = index * partBytes;
    const body = await readPiece(file, from, Math.min(partBytes, size - from));
    const query = { partNumber: String(index + 1), uploadId };
    const etag = await request({ method: 'PUT', key, query, body }, async (response) => {
      await drain(response);
      return response.headers.get('etag');
    });
    if (etag === null) throw new BackupError(`the store gave no ETag for part ${index + 1} of ${key}`);
    parts.push(etag);
    await writeText(notes, JSON.stringify({ uploadId, partBytes, parts } satisfies Progress));
  }
  const list = parts.map((etag, index) => {
    return `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`;
  });
  const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
  const answer = await request({ method: 'POST', key, query: { uploadId }, body }, (response) =>
    response.text(),
  );
  // It begins to answer before it knows: a 200 may carry an error.
  const code = /<Error>.*?<Code>(\w+)<\/Code>/s.exec(answer)?.[1];
  if (code !== undefined) throw new StoreError(200, code, `the store could not put ${key} together: ${code}`);
}

async function readProgress(notes: string, { partBytes }: PartedFile): Promise<Progress | undefined> {
  try {
    const progress = JSON.parse(await readFile(notes, 'utf8')) as Progress;
    return progress.partBytes === partBytes ? progress : undefined;
  } catch {
    // None, or none that can be read: it is sent from the beginning.
    return undefined;
  }
}
