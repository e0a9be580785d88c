import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DuoguardError } from '../errors.ts';
import { manifestSchema } from './manifest.ts';
import { type CheckpointPlaces, publishedDir } from './places.ts';
import { replaceFile } from './publish.ts';
import { ACTIVE, readActiveId } from './resolve.ts';

/**
 * Three files may name the checkpoint to serve:
 *
 *   models_dir/active.json          ships with the product
 *   state_dir/models/active.json    written by whoever publishes: a training run, a download
 *   state_dir/active.json           written by the server: what it chose, and what the two others said then
 *
 * The last one holds until one of the others says something new. So a rollback is not undone by the pointer that it
 * rolled back from, and what was published while no server ran is noticed by the next one.
 */
const id = manifestSchema.shape.id;
const pointersSchema = z.object({ published: id.nullable(), shipped: id.nullable() });
const choiceSchema = z.object({ id, previous: id.nullable(), seen: pointersSchema });

export type Pointers = z.infer<typeof pointersSchema>;
export type Choice = z.infer<typeof choiceSchema>;

/** Undefined when the server has not chosen yet, or its file is damaged. */
export async function readChoice({ stateDir }: CheckpointPlaces): Promise<Choice | undefined> {
  try {
    return choiceSchema.parse(JSON.parse(await readFile(join(stateDir, ACTIVE), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Throws `state_unwritable`. */
export async function writeChoice({ stateDir }: CheckpointPlaces, choice: Choice): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true });
    await replaceFile(join(stateDir, ACTIVE), `${JSON.stringify(choice)}\n`);
  } catch (cause) {
    throw new DuoguardError('state_unwritable', { cause });
  }
}

export async function readPointers(places: CheckpointPlaces): Promise<Pointers> {
  const [published, shipped] = await Promise.all(
    [publishedDir(places), places.shippedDir].map((root) => readActiveId(root).catch(() => null)),
  );
  return { published: published ?? null, shipped: shipped ?? null };
}

/**
 * What a pointer names now and did not name when the choice was made, most important first. While the checkpoint of the
 * publishers' pointer serves, a new release of the product does not replace it.
 */
export function newsOf(now: Pointers, choice: Pick<Choice, 'id' | 'seen'> | undefined): string[] {
  const news: string[] = [];
  if (now.published !== null && now.published !== choice?.seen.published) news.push(now.published);
  const servesPublished = choice !== undefined && choice.id === choice.seen.published;
  if (now.shipped !== null && now.shipped !== choice?.seen.shipped && !servesPublished) news.push(now.shipped);
  return news;
}

/** What may serve after a start, best first: a later one is used when all before it are refused. */
export function startOrder(choice: Choice | undefined, pointers: Pointers): string[] {
  const candidates = [...newsOf(pointers, choice), choice?.id, choice?.previous, pointers.published, pointers.shipped];
  return [...new Set(candidates.filter((name) => typeof name === 'string'))];
}
