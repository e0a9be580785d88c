import type { GameSeed, GenerationTask, Generator } from '../generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import type { GameConfig } from './config.ts';
import { GameError } from './game-error.ts';

/**
 * Seeds to rewrite, half of them unsafe as far as there are enough, each in every language of the game that the generator
 * writes from the seed's own. Throws when a language of the game cannot be written from any, or a class has no seeds.
 */
export function drawTasks(
  rows: readonly GameSeed[],
  count: number,
  generator: Pick<Generator, 'name' | 'languages'>,
  { attack, languages }: Pick<GameConfig, 'attack' | 'languages'>,
  seed: number,
): readonly GenerationTask[] {
  const writable = new Map(attack.from.map((from) => [from, new Set(generator.languages(from))]));
  for (const lang of languages) {
    if ([...writable.values()].some((to) => to.has(lang))) continue;
    throw new GameError(`${generator.name} cannot write ${lang} from ${attack.from.join(', ')}`);
  }
  const seeds = [true, false].flatMap((unsafe) => {
    const own = rows.filter((row) => row.unsafe === unsafe && writable.has(row.lang));
    if (own.length === 0) {
      throw new GameError(`no ${unsafe ? 'unsafe' : 'safe'} seeds in ${attack.from.join(', ')} to rewrite`);
    }
    return shuffle(own, seededRandom(derivedSeed(seed, `seeds ${unsafe}`))).slice(0, Math.ceil(count / 2));
  });
  return seeds.flatMap(({ id, text, lang, unsafe, categories, source }) =>
    languages
      .filter((to) => writable.get(lang)!.has(to))
      .map((to) => ({ seed: { id, text, lang, unsafe, categories, source }, lang: to })),
  );
}
