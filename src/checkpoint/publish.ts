import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { DuoguardError } from '../errors.ts';
import { hashFile } from './hash-file.ts';
import { type Manifest, manifestSchema } from './manifest.ts';
import { MANIFEST } from './read-manifest.ts';
import { ACTIVE } from './resolve.ts';
import { createIndex, STORE_INDEX } from './store/store-index.ts';

/** What a directory that is being filled begins with. */
const PUBLISHING = '.publishing-';
/** A publisher that is at work writes more often: training writes a checkpoint in seconds. */
const LEFTOVER_MS = 3_600_000;

export type ManifestWithoutFiles = Omit<Manifest, 'files'>;

/** Every step by which publishing changes the disk, so that a test can stop after any of them. */
export interface PublishSteps {
  mkdir(path: string): Promise<unknown>;
  writeFile(path: string, content: string): Promise<void>;
  /** Flushes a file or, for what was renamed or created in it, a directory. */
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

export interface PublishOptions {
  /** Point `active.json` at the new checkpoint. Default: true. */
  readonly activate?: boolean;
  readonly steps?: PublishSteps;
}

/**
 * Publishes a checkpoint as `modelsDir/id`. `writeFiles` fills an empty directory and returns the manifest; sizes and
 * hashes are added here.
 *
 *   write .publishing-…/* -> flush -> rename to id -> flush modelsDir -> write .active-… -> flush -> rename to active.json
 *                                                                              -> the same for index.json
 *
 * Whenever this stops, by an error, a kill or a power cut, `active.json` names a checkpoint that is whole: the old one
 * until the last rename, the new one after it. What a publisher that was killed left behind is removed by the next one,
 * once nothing was written to it for an hour. Throws `checkpoint_exists`, `checkpoint_manifest_invalid`.
 */
export async function publishCheckpoint(
  modelsDir: string,
  id: string,
  writeFiles: (directory: string) => Promise<ManifestWithoutFiles>,
  { activate = true, steps = diskSteps }: PublishOptions = {},
): Promise<void> {
  await requireFreeId(modelsDir, id);
  await steps.mkdir(modelsDir);
  await removeLeftovers(modelsDir, steps);
  const beside = join(modelsDir, `${PUBLISHING}${id}-${randomUUID()}`);
  await steps.mkdir(beside);
  try {
    const written = await writeFiles(beside);
    const manifest = checkManifest(id, { ...written, files: await createManifestFiles(beside) });
    await steps.writeFile(join(beside, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await reveal(beside, modelsDir, id, steps);
  } catch (error) {
    await steps.remove(beside).catch(() => {});
    throw error;
  }
  if (activate) await setActive(modelsDir, id, steps);
  else await writeIndex(modelsDir, steps);
}

/**
 * For work that takes long and is published at its end. Throws `checkpoint_manifest_invalid` where `id` can name no
 * checkpoint, and `checkpoint_exists`.
 */
export async function requireFreeId(modelsDir: string, id: string): Promise<void> {
  if (await exists(join(modelsDir, checkId(id)))) throw alreadyPublished(id);
}

/** Never fails a publication: what cannot be removed now is found by the next one. */
async function removeLeftovers(modelsDir: string, steps: PublishSteps): Promise<void> {
  const names = (await readdir(modelsDir)).filter((name) => name.startsWith(PUBLISHING));
  for (const path of names.map((name) => join(modelsDir, name))) {
    const written = await lastWritten(path).catch(() => undefined);
    if (written !== undefined && Date.now() - written > LEFTOVER_MS) await steps.remove(path).catch(() => {});
  }
}

/** Of a directory: when anything in it was last written, in milliseconds since 1970. */
async function lastWritten(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const paths = [directory, ...names.map((name) => join(directory, name))];
  return Math.max(...(await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs))));
}

/** Makes a directory that is complete visible as `modelsDir/id`, flushed and in one rename. Throws `checkpoint_exists`. */
export async function reveal(
  beside: string,
  modelsDir: string,
  id: string,
  steps: PublishSteps = diskSteps,
): Promise<void> {
  await syncTree(beside, steps);
  await steps.rename(beside, join(modelsDir, id)).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOTEMPTY' || error.code === 'EEXIST' ? alreadyPublished(id) : error;
  });
  await steps.sync(modelsDir);
}

/** Points `active.json` at a published checkpoint, in one rename. Throws `checkpoint_not_found`. */
export async function setActive(modelsDir: string, id: string, steps: PublishSteps = diskSteps): Promise<void> {
  if (!(await exists(join(modelsDir, checkId(id), MANIFEST)))) {
    throw new DuoguardError('checkpoint_not_found', { message: `There is no checkpoint ${id} to activate.` });
  }
  await replaceFile(join(modelsDir, ACTIVE), `${JSON.stringify({ id })}\n`, steps);
  await writeIndex(modelsDir, steps);
}

/** Says in `index.json` what `modelsDir` holds, for servers that use it as a store from afar. */
export async function writeIndex(modelsDir: string, steps: PublishSteps = diskSteps): Promise<void> {
  const index = await createIndex(modelsDir);
  await replaceFile(join(modelsDir, STORE_INDEX), `${JSON.stringify(index, null, 2)}\n`, steps);
}

/** Whoever reads `path` finds the old content or the new one, whole, also after a power cut. */
export async function replaceFile(path: string, content: string, steps: PublishSteps = diskSteps): Promise<void> {
  const directory = dirname(path);
  const beside = join(directory, `.active-${randomUUID()}.json`);
  try {
    await steps.writeFile(beside, content);
    await steps.sync(beside);
    await steps.rename(beside, path);
  } catch (error) {
    await steps.remove(beside).catch(() => {});
    throw error;
  }
  await steps.sync(directory);
}

/** Size and SHA-256 of every file under `directory` except the manifest, by path relative to it. */
export async function createManifestFiles(directory: string): Promise<Manifest['files']> {
  const files: Manifest['files'] = {};
  for (const path of await listFiles(directory)) {
    const name = relative(directory, path).split(sep).join('/');
    if (name !== MANIFEST) files[name] = await hashFile(path);
  }
  return files;
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function syncTree(directory: string, steps: PublishSteps): Promise<void> {
  const files = await listFiles(directory);
  for (const file of files) await steps.sync(file);
  for (const parent of new Set([...files.map((file) => dirname(file)), directory])) await steps.sync(parent);
}

function checkId(id: string): string {
  const parsed = manifestSchema.shape.id.safeParse(id);
  if (parsed.success) return parsed.data;
  throw new DuoguardError('checkpoint_manifest_invalid', {
    message: `${JSON.stringify(id)} cannot be the id of a checkpoint.`,
  });
}

function checkManifest(id: string, manifest: Manifest): Manifest {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) throw new DuoguardError('checkpoint_manifest_invalid', { cause: parsed.error });
  if (manifest.id !== id) {
    throw new DuoguardError('checkpoint_manifest_invalid', { message: `The manifest of ${id} names ${manifest.id}.` });
  }
  return parsed.data;
}

function alreadyPublished(id: string): DuoguardError {
  return new DuoguardError('checkpoint_exists', { message: `The checkpoint ${id} was published before.` });
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

const diskSteps: PublishSteps = {
  mkdir: (path) => mkdir(path, { recursive: true }),
  writeFile: (path, content) => writeFile(path, content),
  async sync(path) {
    const handle = await open(path, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { recursive: true, force: true }),
};
