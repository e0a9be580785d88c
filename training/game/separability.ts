import type { PreferencePair } from '../generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';

/** How well a linear probe tells chosen from rejected texts that it was not fitted on. */
export interface Separability {
  /** 0.5: by no cue that a bag of n-grams shows; 1: wholly. `null` with too few seeds to hold some out. */
  readonly accuracy: number | null;
  readonly pairs: number;
}

const FOLDS = 5;
const BUCKETS = 1 << 14;
const EPOCHS = 5;
const RATE = 0.5;
const L2 = 1e-5;

/**
 * Held-out accuracy of logistic regression on hashed n-grams, over both sides of all pairs, by cross-validation in which
 * the pairs of a seed stay together. "More is Less" found pairs whose sides come from different models separable in this
 * way, and that a policy then learns the cue and not the preference.
 */
export function separability(pairs: readonly PreferencePair[], seed: number): Separability {
  const seeds = [...new Set(pairs.map(({ task }) => task.seed.id))];
  if (seeds.length < FOLDS) return { accuracy: null, pairs: pairs.length };
  const mixed = shuffle(seeds, seededRandom(derivedSeed(seed, 'folds')));
  const foldOf = new Map(mixed.map((id, index) => [id, index % FOLDS]));
  const examples = pairs.flatMap(({ task, chosen, rejected }) => {
    const fold = foldOf.get(task.seed.id)!;
    return [
      { fold, isChosen: true, features: hashedNgrams(chosen.text) },
      { fold, isChosen: false, features: hashedNgrams(rejected.text) },
    ];
  });
  let right = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const weights = fitProbe(
      examples.filter((example) => example.fold !== fold),
      seededRandom(derivedSeed(seed, `fold ${fold}`)),
    );
    for (const { isChosen, features } of examples.filter((example) => example.fold === fold)) {
      const score = scoreOf(weights, features);
      // Without a cue the score is exactly 0 and the answer is a coin's.
      right += score === 0 ? 0.5 : Number(score > 0 === isChosen);
    }
  }
  return { accuracy: right / examples.length, pairs: pairs.length };
}

interface Example {
  readonly isChosen: boolean;
  readonly features: Features;
}

/** Buckets that a text has, each with the value that gives the text norm 1. */
interface Features {
  readonly buckets: Int32Array;
  readonly value: number;
}

/** One word, two words, and 3 to 4 characters. */
function hashedNgrams(text: string): Features {
  const words = text.toLowerCase().split(/\s+/);
  const buckets = new Set<number>();
  for (const [index, word] of words.entries()) {
    buckets.add(hash(`w${word}`));
    if (index > 0) buckets.add(hash(`b${words[index - 1]} ${word}`));
  }
  const spaced = ` ${words.join(' ')} `;
  for (const length of [3, 4]) {
    for (let start = 0; start + length <= spaced.length; start++) {
      buckets.add(hash(`c${spaced.slice(start, start + length)}`));
    }
  }
  return { buckets: Int32Array.from(buckets), value: 1 / Math.sqrt(buckets.size) };
}

/** FNV-1a */
function hash(piece: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < piece.length; i++) value = Math.imul(value ^ piece.charCodeAt(i), 0x01000193) >>> 0;
  return value % BUCKETS;
}

/** Adagrad on the logistic loss. The last weight is the bias. */
function fitProbe(examples: readonly Example[], random: () => number): Float64Array {
  const weights = new Float64Array(BUCKETS + 1);
  const squares = new Float64Array(BUCKETS + 1).fill(1e-8);
  const move = (index: number, gradient: number) => {
    const own = gradient + L2 * weights[index]!;
    squares[index]! += own * own;
    weights[index]! -= (RATE * own) / Math.sqrt(squares[index]!);
  };
  const order = Int32Array.from(examples.keys());
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (const index of shuffle(order, random)) {
      const { isChosen, features } = examples[index]!;
      const error = 1 / (1 + Math.exp(-scoreOf(weights, features))) - (isChosen ? 1 : 0);
      for (const bucket of features.buckets) move(bucket, error * features.value);
      move(BUCKETS, error);
    }
  }
  return weights;
}

function scoreOf(weights: Float64Array, { buckets, value }: Features): number {
  let sum = 0;
  for (const bucket of buckets) sum += weights[bucket]!;
  return sum * value + weights[BUCKETS]!;
}
