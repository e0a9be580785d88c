import { createWriteStream } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DuoguardError } from '../../errors.ts';
import { hashFile } from '../hash-file.ts';
import type { ObjectAnswer, ObjectStore } from './object-store.ts';
import { type ReadLimits, readObject } from './read-object.ts';
import { type RetryOptions, retrying } from './retry.ts';

export interface FileToDownload {
  readonly key: string;
  /** Where it is to be, and where what arrived of it stays when this is interrupted. */
  readonly target: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface FileDownload {
  readonly store: ObjectStore;
  readonly limits: ReadLimits;
  readonly retry: Omit<RetryOptions, 'progress' | 'signal'>;
  /** Entity tags of what the targets hold, by key. */
  readonly tags: {
    get(key: string): string | undefined;
    set(key: string, etag: string | undefined): Promise<void>;
  };
  readonly received: (bytes: number) => void;
}

/** A connection that breaks off may leave a wrong part each time; there must be an end. */
const MOST_ROUNDS = 3;

/**
 * Downloads what is missing of a file and verifies the whole. A part that turns out not to belong to it is thrown away
 * and fetched again. Throws `checkpoint_file_missing`, `checkpoint_file_corrupt`, `checkpoint_store_*`.
 */
export async function downloadFile(file: FileToDownload, download: FileDownload): Promise<void> {
  await mkdir(dirname(file.target), { recursive: true });
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const inOnePiece = await fetchMissing(file, download);
    if (await isSound(file)) return;
    await rm(file.target);
    if (inOnePiece) break;
  }
  throw corrupt(file, 'does not have the SHA-256 that the manifest names');
}

/** Resolves with whether all of the file came in one answer: then a wrong hash is the store's. */
async function fetchMissing(file: FileToDownload, download: FileDownload): Promise<boolean> {
  const { retry, limits, tags, store } = download;
  let inOnePiece = (await sizeOf(file.target)) === 0;
  let total = 0;
  const count = (bytes: number) => {
    total += bytes;
    download.received(bytes);
  };
  const attempt = async () => {
    const have = await sizeOf(file.target);
    if (have > file.bytes) await rm(file.target);
    else if (have === file.bytes && have > 0) return;
    const resume = have > 0 && have < file.bytes ? { offset: have, etag: tags.get(file.key) } : undefined;
    if (resume !== undefined) inOnePiece = false;
    await readObject(store, file.key, resume === undefined ? {} : { resume }, limits, async (answer) => {
      if (answer.kind !== 'found') throw missing(file);
      await tags.set(file.key, answer.etag);
      await write(file, answer, count);
    });
  };
  await retrying(attempt, { ...retry, signal: limits.signal, progress: () => total });
  return inOnePiece;
}

async function write(
  file: FileToDownload,
  { body, offset }: Extract<ObjectAnswer, { kind: 'found' }>,
  received: (bytes: number) => void,
): Promise<void> {
  let position = offset;
  async function* counted() {
    for await (const chunk of body) {
      position += chunk.length;
      if (position > file.bytes) throw corrupt(file, `has more than the ${file.bytes} bytes that the manifest names`);
      received(chunk.length);
      yield chunk;
    }
  }
  if (offset === 0) await writeFile(file.target, '');
  await pipeline(counted, createWriteStream(file.target, { flags: 'r+', start: offset }));
  if (position === file.bytes) return;
  // The end of the answer was regular, so this is its length, and no broken connection.
  await rm(file.target);
  throw corrupt(file, `has ${position} bytes instead of ${file.bytes}`);
}

async function isSound({ target, sha256, bytes }: FileToDownload): Promise<boolean> {
  const actual = await hashFile(target);
  return actual.bytes === bytes && actual.sha256 === sha256;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

function corrupt({ key }: FileToDownload, what: string): DuoguardError {
  return new DuoguardError('checkpoint_file_corrupt', {
    message: `${key} of the checkpoint store ${what}.`,
    details: { file: key },
  });
}

function missing({ key }: FileToDownload): DuoguardError {
  return new DuoguardError('checkpoint_file_missing', {
    message: `The manifest names ${key}, which the checkpoint store does not have.`,
    details: { file: key },
  });
}
