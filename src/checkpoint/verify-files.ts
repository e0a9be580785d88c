import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { DuoguardError } from '../errors.ts';
import { pathOutside, requireContained } from './contained-path.ts';
import { hashHandle } from './hash-file.ts';
import type { Manifest } from './manifest.ts';

/**
 * Checks size and SHA-256 of every file that the manifest names and returns the content of those in `keep`, so that what
 * is used later is what was verified. The content is shared memory: workers load the model from it.
 * Throws `checkpoint_path_outside`, `checkpoint_file_missing`, `checkpoint_file_corrupt`.
 */
export async function verifyFiles(
  directory: string,
  files: Manifest['files'],
  keep: readonly string[],
): Promise<Map<string, SharedArrayBuffer>> {
  // All paths are judged before the first byte is read.
  const resolved = new Map<string, string>();
  for (const path of Object.keys(files)) resolved.set(path, await resolveInside(directory, path));

  const kept = new Map<string, SharedArrayBuffer>();
  for (const [path, expected] of Object.entries(files)) {
    const content = keep.includes(path) ? new SharedArrayBuffer(expected.bytes) : undefined;
    await verifyFile(resolved.get(path) as string, path, expected, content);
    if (content) kept.set(path, content);
  }
  return kept;
}

/** The real path of a manifest's path; symbolic links count as what they point to. */
async function resolveInside(directory: string, path: string): Promise<string> {
  requireContained(path);
  const real = await realpath(join(directory, path)).catch((error) => {
    throw missing(path, error);
  });
  if (!real.startsWith((await realpath(directory)) + sep)) throw pathOutside(path);
  return real;
}

async function verifyFile(
  realPath: string,
  path: string,
  expected: { readonly sha256: string; readonly bytes: number },
  content: SharedArrayBuffer | undefined,
): Promise<void> {
  const handle = await open(realPath, 'r').catch((error) => {
    throw missing(path, error);
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw missing(path, new Error('not a regular file'));
    if (stat.size !== expected.bytes) throw corrupt(path, `has ${stat.size} bytes instead of ${expected.bytes}`);
    const sha256 = await hashHandle(handle, content && new Uint8Array(content));
    if (sha256 !== expected.sha256) throw corrupt(path, 'does not have the SHA-256 that the manifest names');
  } finally {
    await handle.close();
  }
}

function missing(path: string, cause: unknown): DuoguardError {
  return new DuoguardError('checkpoint_file_missing', {
    message: `The manifest names ${path}, which is missing.`,
    details: { file: path },
    cause,
  });
}

function corrupt(path: string, what: string): DuoguardError {
  return new DuoguardError('checkpoint_file_corrupt', { message: `${path} ${what}.`, details: { file: path } });
}
