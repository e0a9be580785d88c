import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DuoguardError } from '../../errors.ts';
import { hashFile } from '../hash-file.ts';
import { manifestSchema } from '../manifest.ts';
import { MANIFEST } from '../read-manifest.ts';
import { isCheckpointId, readActiveId } from '../resolve.ts';

/**
 * `index.json` of a models directory: what a directory listing and `active.json` say, for readers that have neither.
 * It makes the directory a checkpoint store as soon as any server hands out its files. Replaced last when publishing,
 * so that whatever it names is there.
 */
export const STORE_INDEX = 'index.json';

const entrySchema = z.object({
  id: manifestSchema.shape.id,
  created: manifestSchema.shape.created,
  /** Of the checkpoint's `manifest.json`, which names the hashes of all its other files. */
  manifest_sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a lower-case hex SHA-256'),
});

const indexSchema = z
  .object({
    format: z.literal(1),
    /** The checkpoint that servers are to serve. */
    active: manifestSchema.shape.id.nullable(),
    checkpoints: z.array(entrySchema).max(10_000),
  })
  .refine(({ active, checkpoints }) => active === null || checkpoints.some(({ id }) => id === active), {
    message: 'active is not among the checkpoints',
  });

export type StoreIndex = z.infer<typeof indexSchema>;
export type StoreEntry = z.infer<typeof entrySchema>;

/** Throws `checkpoint_store_invalid`. */
export function parseIndex(text: string): StoreIndex {
  try {
    return indexSchema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : 'it is not JSON';
    throw new DuoguardError('checkpoint_store_invalid', { message: `The store's index.json cannot be used: ${why}` });
  }
}

/** Describes what is in `modelsDir` now. What has no sound manifest is left out. */
export async function createIndex(modelsDir: string): Promise<StoreIndex> {
  const names = (await readdir(modelsDir)).filter(isCheckpointId).sort();
  const entries = await Promise.all(names.map((id) => createEntry(modelsDir, id)));
  const checkpoints = entries.filter((entry) => entry !== undefined);
  const active = await readActiveId(modelsDir).catch(() => null);
  return { format: 1, active: checkpoints.some(({ id }) => id === active) ? active : null, checkpoints };
}

async function createEntry(modelsDir: string, id: string): Promise<StoreEntry | undefined> {
  const path = join(modelsDir, id, MANIFEST);
  if ((await stat(path).catch(() => undefined))?.isFile() !== true) return undefined;
  const manifest = await readFile(path, 'utf8')
    .then((text) => manifestSchema.pick({ id: true, created: true }).parse(JSON.parse(text)))
    .catch(() => undefined);
  if (manifest?.id !== id) return undefined;
  return { id, created: manifest.created, manifest_sha256: (await hashFile(path)).sha256 };
}
