import { shuffle } from '../../random.ts';
import type { GenerationTask } from '../contract.ts';
import { type EncodedSpace, type FeatureList, neighbours } from './encoded-space.ts';

/** Share of its words that a corrupted seed loses. */
const LOST = 0.3;

/**
 * A task's edit space as a policy sees it that is misled (STIC, arXiv 2405.19716): once by a corrupted seed, once by a
 * misleading condition. Slots and options are those of the task, so what such a policy writes is a candidate of the task.
 */
export function misledSpaces(
  task: GenerationTask,
  space: EncodedSpace,
  features: FeatureList,
  random: () => number,
): readonly [corruptedSeed: EncodedSpace, misleadingCondition: EncodedSpace] {
  return [withCorruptedSeed(space, random), { ...space, condition: features.condition(misleading(task, random)) }];
}

/** Words in another order, some of them left out. */
function withCorruptedSeed(space: EncodedSpace, random: () => number): EncodedSpace {
  const places = Array.from(space.word.keys()).filter((slot) => space.word[slot]! >= 0);
  const words = shuffle(
    places.map((slot) => space.word[slot]!),
    random,
  );
  const word = space.word.slice();
  for (const [i, slot] of places.entries()) word[slot] = random() < LOST ? -1 : words[i]!;
  return { ...space, word, before: neighbours(word, 1), after: neighbours(word, -1) };
}

/** The other label, or the languages the wrong way round. */
function misleading({ seed, lang }: GenerationTask, random: () => number): GenerationTask {
  const label = random() < 0.5 || lang === seed.lang;
  return label
    ? { seed: { ...seed, unsafe: !seed.unsafe, categories: seed.unsafe ? [] : null }, lang }
    : { seed: { ...seed, lang }, lang: seed.lang };
}
