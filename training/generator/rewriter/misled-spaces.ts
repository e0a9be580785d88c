import { shuffle } from '../../random.ts';
import type { GenerationTask } from '../contract.ts';
import type { EditSpace } from './edit-space.ts';
import { type EncodedSpace, type FeatureList, neighbours } from './encoded-space.ts';
import { priorLogits } from './prior.ts';

/** Share of its words that a corrupted seed loses. */
const LOST = 0.3;

/**
 * A task's edit space as a policy sees it that is misled (STIC, arXiv 2405.19716): once by a corrupted seed, once by a
 * misleading condition. Slots and options are those of the task, so what such a policy writes is a candidate of the task.
 */
export function misledSpaces(
  { task, slots }: EditSpace,
  space: EncodedSpace,
  features: FeatureList,
  random: () => number,
): readonly [corruptedSeed: EncodedSpace, misleadingCondition: EncodedSpace] {
  const misled = misleading(task, random);
  const prior = Float32Array.from(slots.flatMap((slot) => priorLogits(slot, misled)));
  return [withCorruptedSeed(space, random), { ...space, condition: features.condition(misled), prior }];
}

/**
 * Words in another order, some of them left out. Of a word that isn't seen in its place nobody knows how it is mostly
 * translated, so the lexicon's shares are hidden with it.
 */
function withCorruptedSeed(space: EncodedSpace, random: () => number): EncodedSpace {
  const places = Array.from(space.word.keys()).filter((slot) => space.word[slot]! >= 0);
  const words = shuffle(
    places.map((slot) => space.word[slot]!),
    random,
  );
  const word = space.word.slice();
  const logShare = space.logShare.slice();
  for (const [i, slot] of places.entries()) {
    word[slot] = random() < LOST ? -1 : words[i]!;
    if (word[slot] !== space.word[slot]) logShare.fill(0, space.first[slot]!, space.first[slot + 1]!);
  }
  return { ...space, word, logShare, before: neighbours(word, 1), after: neighbours(word, -1) };
}

/** The other label, or the seed's own language for the one that is to be written. */
function misleading({ seed, lang }: GenerationTask, random: () => number): GenerationTask {
  const label = random() < 0.5 || lang === seed.lang;
  return label
    ? { seed: { ...seed, unsafe: !seed.unsafe, categories: seed.unsafe ? [] : null }, lang }
    : { seed, lang: seed.lang };
}
