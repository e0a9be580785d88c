import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuoguardError } from '../../errors.ts';
import { requireContained } from '../contained-path.ts';
import type { Manifest } from '../manifest.ts';
import { reveal } from '../publish.ts';
import { MANIFEST, readManifest } from '../read-manifest.ts';
import { downloadFile, type FileDownload } from './download-file.ts';
import { collect, readObject } from './read-object.ts';
import { isTransient, retrying } from './retry.ts';
import type { StoreEntry } from './store-index.ts';

export interface Download extends Omit<FileDownload, 'tags'> {
  /** Where checkpoints are kept; the new one appears in it. */
  readonly modelsDir: string;
  /** Most bytes of one checkpoint. */
  readonly maxBytes: number;
}

const MOST_MANIFEST_BYTES = 4 * 1024 * 1024;
const FILES = 'files';
const TAGS = 'tags.json';

/**
 * Fetches a checkpoint and makes it visible as `modelsDir/id`.
 *
 *   .download-ID/manifest.json   fetched, hashed, judged: nothing else is asked for before that
 *   .download-ID/files/*         fetched in part or in whole, each verified
 *   .download-ID/files/manifest.json   last -> flush -> rename to ID
 *
 * What was interrupted goes on from where it was, also in another process; what is refused leaves nothing behind.
 * One at a time for each id. Throws `checkpoint_*`, the reason of the signal, or what the disk throws.
 */
export async function downloadCheckpoint(entry: StoreEntry, download: Download): Promise<void> {
  const { modelsDir, limits } = download;
  const partial = join(modelsDir, `.download-${entry.id}`);
  try {
    const manifest = await fetchManifest(entry, partial, download);
    judge(manifest, entry, download.maxBytes);
    const tags = await openTags(join(partial, TAGS));
    for (const [path, expected] of Object.entries(manifest.files)) {
      const key = `${entry.id}/${path}`;
      await downloadFile({ key, target: join(partial, FILES, path), ...expected }, { ...download, tags });
    }
    await writeFile(join(partial, FILES, MANIFEST), await readFile(join(partial, MANIFEST)));
    await reveal(join(partial, FILES), modelsDir, entry.id);
    await rm(partial, { recursive: true, force: true });
  } catch (error) {
    if (error instanceof DuoguardError && !isTransient(error) && !limits.signal.aborted)
      await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function fetchManifest(entry: StoreEntry, partial: string, download: Download): Promise<Manifest> {
  const { store, limits, retry } = download;
  const key = `${entry.id}/${MANIFEST}`;
  const path = join(partial, MANIFEST);
  const known = await readFile(path).catch(() => undefined);
  if (known !== undefined && sha256(known) === entry.manifest_sha256) return readManifest(partial);

  const fetched = await retrying(
    () =>
      readObject(store, key, {}, limits, async (answer) => {
        if (answer.kind !== 'found') throw missing(key);
        return collect(key, answer.body, MOST_MANIFEST_BYTES);
      }),
    { ...retry, signal: limits.signal },
  );
  if (sha256(fetched) !== entry.manifest_sha256) {
    throw new DuoguardError('checkpoint_file_corrupt', {
      message: `${key} of the checkpoint store does not have the SHA-256 that its index names.`,
      details: { file: MANIFEST },
    });
  }
  // Parts of files that another manifest named are of no use.
  await rm(partial, { recursive: true, force: true });
  await mkdir(join(partial, FILES), { recursive: true });
  await writeFile(path, fetched);
  return readManifest(partial);
}

function judge(manifest: Manifest, entry: StoreEntry, maxBytes: number): void {
  if (manifest.id !== entry.id) {
    throw new DuoguardError('checkpoint_manifest_invalid', {
      message: `The manifest of ${entry.id} names ${manifest.id}.`,
    });
  }
  const paths = Object.keys(manifest.files);
  for (const path of paths) {
    requireContained(path);
    if (
      !/^[^/]+(\/[^/]+)*$/.test(path) ||
      path.split('/').includes('.') ||
      path === MANIFEST ||
      isAlsoDirectory(path)
    ) {
      throw new DuoguardError('checkpoint_manifest_invalid', {
        message: `The manifest names ${JSON.stringify(path)}, which cannot be a file of a checkpoint.`,
        details: { file: path },
      });
    }
  }
  const bytes = Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > maxBytes) {
    throw new DuoguardError('checkpoint_too_large', {
      message: `${entry.id} has ${bytes} bytes, where store_max_bytes allows ${maxBytes}.`,
      details: { bytes, maxBytes },
    });
  }

  function isAlsoDirectory(path: string): boolean {
    return paths.some((other) => other.startsWith(`${path}/`));
  }
}

/** The tags are worth nothing without the parts they belong to, and little with them: a damaged file is an empty one. */
async function openTags(path: string): Promise<FileDownload['tags']> {
  const tags: Record<string, unknown> = await readFile(path, 'utf8')
    .then((text) => ({ ...JSON.parse(text) }))
    .catch(() => ({}));
  return {
    get: (key) => (typeof tags[key] === 'string' ? tags[key] : undefined),
    async set(key, etag) {
      if (tags[key] === etag) return;
      tags[key] = etag;
      await writeFile(path, JSON.stringify(tags));
    },
  };
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function missing(key: string): DuoguardError {
  return new DuoguardError('checkpoint_file_missing', {
    message: `The index of the checkpoint store names ${key}, which is not there.`,
    details: { file: MANIFEST },
  });
}
