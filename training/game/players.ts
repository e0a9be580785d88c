import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Generator } from '../generator/contract.ts';
import type { RateFidelity } from './contract.ts';
import { GameError } from './game-error.ts';

/** What a generator module gives to the game. */
export interface AttackerModule {
  createGenerator(options: AttackerOptions): Promise<Generator>;
  readonly rateFidelity: RateFidelity;
}

export interface AttackerOptions {
  readonly seed: number;
  readonly threads: number;
}

export interface Attacker {
  readonly generator: Generator;
  readonly rate: RateFidelity;
}

/** Loads the module at `path` and starts its generator. Throws a `GameError` when it isn't one. */
export async function startAttacker(path: string, options: AttackerOptions): Promise<Attacker> {
  let loaded: Partial<AttackerModule>;
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as Partial<AttackerModule>;
  } catch (cause) {
    throw new GameError(`${path}: ${(cause as Error).message}`, { cause });
  }
  const { createGenerator, rateFidelity } = loaded;
  if (typeof createGenerator !== 'function' || typeof rateFidelity !== 'function') {
    throw new GameError(`${path} has to export createGenerator and rateFidelity`);
  }
  return { generator: await createGenerator(options), rate: rateFidelity };
}
