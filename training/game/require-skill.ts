import type { Generator } from '../generator/contract.ts';
import type { GeneratorSkills } from '../generator/skills.ts';
import type { GameConfig } from './config.ts';
import { GameError } from './game-error.ts';

/** A skill that an option needs of the generator. Throws a `GameError` that names both where it lacks it. */
export function requireSkill<S extends keyof GeneratorSkills>(
  generator: Generator,
  skill: S,
  option: string,
): GeneratorSkills[S] {
  const own = generator[skill];
  if (own === undefined) throw new GameError(`${generator.name} cannot ${skill}, which ${option} needs`);
  return own.bind(generator) as GeneratorSkills[S];
}

/** Before a game, so that it does not end hours later. */
export function requireSkills(generator: Generator, { warmup, pairs, schedule }: GameConfig): void {
  if (warmup === 'spin') requireSkill(generator, 'imitate', 'warmup spin');
  if (schedule === 'sft-rl') requireSkill(generator, 'learnLikelihood', 'schedule sft-rl');
  if (pairs.mode !== 'online') return;
  requireSkill(generator, 'rollOut', 'pairs.mode online');
  requireSkill(generator, 'learnOnline', 'pairs.mode online');
}
