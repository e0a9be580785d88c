import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { manifestSchema } from '../manifest.ts';
import { replaceFile } from '../publish.ts';

const id = manifestSchema.shape.id;
const memorySchema = z.object({
  /** Of the store it is about. */
  address: z.string(),
  /** What the store named as active when it was last followed: only something else is news. */
  followed: id.nullable(),
  /** Downloaded from it and not removed since, oldest first. */
  downloaded: z.array(id),
});

export type MirrorMemory = z.infer<typeof memorySchema>;

/** What a mirror must know after a restart. Damaged, or about another store, it is empty. */
export async function readMemory(path: string, address: string): Promise<MirrorMemory> {
  const empty = { address, followed: null, downloaded: [] };
  try {
    const known = memorySchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return known.address === address ? known : { ...empty, downloaded: known.downloaded };
  } catch {
    return empty;
  }
}

export async function writeMemory(path: string, memory: MirrorMemory): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await replaceFile(path, `${JSON.stringify(memory)}\n`);
}
