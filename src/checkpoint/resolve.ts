import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { z } from 'zod';
import { DuoguardError } from '../errors.ts';
import { manifestSchema } from './manifest.ts';
import { MANIFEST } from './read-manifest.ts';

export const ACTIVE = 'active.json';

const checkpointId = manifestSchema.shape.id;
const activeSchema = z.object({ id: checkpointId });

/**
 * The directory of the chosen checkpoint: `active` follows `active.json`, `latest` takes the newest `created`, anything
 * with a path separator is a directory, and the rest is an id in `modelsDir`. Throws `checkpoint_not_found`.
 */
export async function resolveActive(modelsDir: string, choice = 'active'): Promise<string> {
  const directory = await chosenDirectory(modelsDir, choice);
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) throw notFound(`There is no checkpoint ${choice} in the models directory.`);
  return directory;
}

async function chosenDirectory(modelsDir: string, choice: string): Promise<string> {
  if (choice === 'active') return join(modelsDir, await readActiveId(modelsDir));
  if (choice === 'latest') return join(modelsDir, await newestId(modelsDir));
  if (choice.includes('/') || choice.includes(sep)) return resolve(choice);
  const id = checkpointId.safeParse(choice);
  if (!id.success) throw notFound(`${JSON.stringify(choice)} is neither the id nor the directory of a checkpoint.`);
  return join(modelsDir, id.data);
}

/** Throws `checkpoint_not_found` when there is no pointer that can be read. */
export async function readActiveId(modelsDir: string): Promise<string> {
  try {
    return activeSchema.parse(JSON.parse(await readFile(join(modelsDir, ACTIVE), 'utf8'))).id;
  } catch (cause) {
    throw notFound('active.json is missing or does not name a checkpoint.', cause);
  }
}

async function newestId(modelsDir: string): Promise<string> {
  const names = await readdir(modelsDir).catch((cause) => {
    throw notFound('The models directory cannot be read.', cause);
  });
  const dated = await Promise.all(names.filter(isCheckpointId).map((name) => readCreated(modelsDir, name)));
  const newest = dated
    .flatMap((entry) => entry ?? [])
    .reduce((a, b) => (b.created > a.created ? b : a), { id: '', created: '' });
  if (newest.id === '') throw notFound('The models directory holds no checkpoint.');
  return newest.id;
}

export function isCheckpointId(name: string): boolean {
  return checkpointId.safeParse(name).success;
}

/** Only the date is read here; whether the checkpoint is sound is judged when it is loaded. */
async function readCreated(modelsDir: string, id: string): Promise<{ id: string; created: string } | undefined> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(modelsDir, id, MANIFEST), 'utf8'));
    return { id, created: manifestSchema.pick({ created: true }).parse(manifest).created };
  } catch {
    return undefined;
  }
}

function notFound(message: string, cause?: unknown): DuoguardError {
  return new DuoguardError('checkpoint_not_found', { message, cause });
}
