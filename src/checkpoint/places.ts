import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuoguardError } from '../errors.ts';
import { isCheckpointId } from './resolve.ts';

/** Where checkpoints are looked for. An id that is in both places means the shipped one. */
export interface CheckpointPlaces {
  /** `models_dir`: only read. */
  readonly shippedDir: string;
  /** `state_dir`: its `models/` holds what was trained or downloaded here. */
  readonly stateDir: string;
}

export interface Located {
  readonly id: string;
  readonly place: 'shipped' | 'state';
  readonly directory: string;
}

export function publishedDir({ stateDir }: CheckpointPlaces): string {
  return join(stateDir, 'models');
}

/** Throws `checkpoint_not_found`, also for what cannot be an id. */
export async function locateCheckpoint(places: CheckpointPlaces, id: string): Promise<Located> {
  if (isCheckpointId(id)) {
    for (const [place, root] of roots(places)) {
      const directory = join(root, id);
      const found = await stat(directory).catch(() => undefined);
      if (found?.isDirectory()) return { id, place, directory };
    }
  }
  throw new DuoguardError('checkpoint_not_found', { details: { field: 'id' } });
}

/** By id. What is being published has a name that is no id, and is not seen. */
export async function locateAll(places: CheckpointPlaces): Promise<Located[]> {
  const found = new Map<string, Located>();
  for (const [place, root] of roots(places)) {
    const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries.filter((entry) => !entry.isFile() && isCheckpointId(entry.name))) {
      if (!found.has(name)) found.set(name, { id: name, place, directory: join(root, name) });
    }
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function roots(places: CheckpointPlaces): (readonly [Located['place'], string])[] {
  return [
    ['shipped', places.shippedDir],
    ['state', publishedDir(places)],
  ];
}
