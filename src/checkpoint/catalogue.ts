import { DuoguardError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { CheckpointManager, Refusal } from './manager.ts';
import type { Manifest } from './manifest.ts';
import { type CheckpointPlaces, type Located, locateAll } from './places.ts';
import { readManifest } from './read-manifest.ts';
import type { StoreMirror } from './store/mirror.ts';

/** `available`: the manifest is sound; files, model and canaries are verified when it is loaded. */
export type CheckpointState = 'active' | 'shadow' | 'canary' | 'loading' | 'previous' | 'available' | 'rejected';

export interface CheckpointEntry {
  readonly id: string;
  readonly state: CheckpointState;
  /** `elsewhere`: a directory that the settings name. `store`: not here yet; it is fetched when it is to be loaded. */
  readonly place: Located['place'] | 'elsewhere' | 'store';
  /** Why it was refused the last time; null when it never was. */
  readonly rejected: Refusal | null;
  /** Null when the manifest cannot be used, or is not here. */
  readonly manifest: CheckpointFacts | null;
}

export interface CheckpointFacts {
  readonly created: string;
  readonly parent: string | null;
  readonly parameters: number;
  /** Of the model file. */
  readonly sha256: string;
  readonly max_tokens: number;
  readonly languages: readonly string[];
  /** What was measured when it was made. */
  readonly figures: Readonly<Record<string, unknown>>;
}

export interface CatalogueDependencies {
  readonly places: CheckpointPlaces;
  readonly manager: Pick<CheckpointManager, 'loading' | 'previous' | 'refusals'>;
  readonly active: () => Checkpoint | undefined;
  readonly trial: () => { readonly id: string; readonly kind: 'shadow' | 'canary' } | undefined;
  readonly store?: Pick<StoreMirror, 'listed' | 'downloading'> | undefined;
}

/** Every checkpoint that can be found and what it is doing, by id. Reads manifests, not models. */
export async function listCheckpoints(dependencies: CatalogueDependencies): Promise<CheckpointEntry[]> {
  const located = await locateAll(dependencies.places);
  const here = await Promise.all(located.map((checkpoint) => describe(checkpoint, dependencies)));
  const entries = [...here, ...describeRemote(here, dependencies)];
  const active = dependencies.active();
  if (active === undefined || entries.some(({ id }) => id === active.id)) return entries;
  const own: CheckpointEntry = {
    id: active.id,
    state: 'active',
    place: 'elsewhere',
    rejected: null,
    manifest: factsOf(active.manifest),
  };
  return [own, ...entries];
}

async function describe(
  { id, place, directory }: Located,
  dependencies: CatalogueDependencies,
): Promise<CheckpointEntry> {
  const known = dependencies.manager.refusals.get(id);
  const read = await readFacts(directory, id);
  const manifest = 'code' in read ? null : read;
  const rejected = known ?? ('code' in read ? { ...read, at: new Date().toISOString() } : null);
  return { id, state: stateOf(id, rejected !== null, dependencies), place, rejected, manifest };
}

function describeRemote(
  here: readonly CheckpointEntry[],
  { store, manager }: CatalogueDependencies,
): CheckpointEntry[] {
  const known = new Set(here.map(({ id }) => id));
  const remote = store?.listed.filter(({ id }) => !known.has(id)) ?? [];
  return remote.map(({ id }) => {
    const rejected = manager.refusals.get(id) ?? null;
    const state = store?.downloading === id ? 'loading' : rejected === null ? 'available' : 'rejected';
    return { id, state, place: 'store', rejected, manifest: null };
  });
}

async function readFacts(directory: string, id: string): Promise<CheckpointFacts | Omit<Refusal, 'at'>> {
  try {
    const manifest = await readManifest(directory);
    if (manifest.id === id) return factsOf(manifest);
    return { code: 'checkpoint_manifest_invalid', message: `The manifest of ${id} names ${manifest.id}.` };
  } catch (error) {
    if (!(error instanceof DuoguardError)) throw error;
    return { code: error.code, message: error.message };
  }
}

function stateOf(id: string, rejected: boolean, { manager, active, trial }: CatalogueDependencies): CheckpointState {
  if (active()?.id === id) return 'active';
  if (manager.loading === id) return 'loading';
  const onTrial = trial();
  if (onTrial?.id === id) return onTrial.kind;
  if (rejected) return 'rejected';
  return manager.previous === id ? 'previous' : 'available';
}

function factsOf(manifest: Manifest): CheckpointFacts {
  return {
    created: manifest.created,
    parent: manifest.parent,
    parameters: manifest.architecture.parameters,
    sha256: manifest.files[manifest.model]?.sha256 as string,
    max_tokens: manifest.max_tokens,
    languages: manifest.languages,
    figures: manifest.evaluation,
  };
}
