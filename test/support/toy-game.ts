import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type GameConfig, gameConfigSchema } from '../../training/game/config.ts';
import type {
  Candidate,
  GenerationTask,
  Generator,
  PreferenceFigures,
  PreferenceOptions,
  PreferencePair,
} from '../../training/generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../../training/random.ts';

/**
 * A game small enough to be played in seconds. A few made-up words are unsafe; the generator rewrites each word of a seed
 * by one of a few edits, with one probability for each edit whatever the word, and learns which of them fool the guardrail.
 */

const MARKERS = ['zorbat', 'quilmex', 'fendolk', 'vishtug', 'gomprix', 'wexlan'] as const;
const FILLER = 'the a small old green house river garden walks sings near under bread apple winter friend'.split(' ');

const reverse = (word: string) => [...word].reverse().join('');

/** `n` labelled rows as lines of a data file, as many unsafe as safe, half in English and half in a French of reversed words. */
export function toyRows(n: number): string {
  const random = seededRandom(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  return Array.from({ length: n }, (_, i) => {
    const words = Array.from({ length: 5 + Math.floor(random() * 6) }, () => pick(FILLER));
    const unsafe = i % 2 === 0;
    if (unsafe) words.splice(Math.floor(random() * words.length), 0, pick(MARKERS));
    const lang = Math.floor(i / 2) % 2 === 0 ? 'en' : 'fr';
    const text = (lang === 'en' ? words : words.map(reverse)).join(' ');
    return `${JSON.stringify({ text, unsafe, lang, ...(unsafe ? { categories: ['hate'] } : {}) })}\n`;
  }).join('');
}

export function toyConfig(data: string, changes: object = {}): GameConfig {
  return gameConfigSchema.parse({
    rounds: 2,
    languages: ['en', 'fr'],
    data: { sources: [data], rows: 400, shares: { en: 0.99, fr: 0.01 }, heldOutRows: 80 },
    attack: { seeds: 100, candidates: 4, probeSeeds: 16, probeCandidates: 2 },
    generator: { beta: 0.1, learningRate: 0.5, batchPairs: 8 },
    filter: { nearDuplicate: 1, perTask: 4 },
    guardrail: {
      threads: 1,
      encoder: {
        vocabSize: 400,
        ngrams: { orders: [2], buckets: 64 },
        embedding: 16,
        width: 16,
        layers: 0,
        heads: 2,
        feedForward: 16,
        maxTokens: 64,
      },
      characters: { buckets: 64 },
      dropout: 0,
      epochs: 6,
      batchTokens: 1024,
      batchRows: 24,
      learningRate: 0.02,
      embeddingRate: 5,
    },
    ...changes,
  });
}

/** What each edit makes of a word. The last one loses the label. */
const EDITS: readonly ((word: string) => string)[] = [(word) => word, reverse, (word) => [...word].join('-'), () => ''];
const DROP = EDITS.length - 1;

/** Kept markers are faithful; a text that lost its marker has lost its label. */
export function rateToy({ seed }: GenerationTask, text: string): { rating: number } {
  const words = new Set(text.split(' '));
  const kept = MARKERS.some((marker) => EDITS.slice(0, DROP).some((edit) => words.has(edit(marker))));
  return { rating: kept === seed.unsafe ? 5 : 1 };
}

/** p(text) is the product over words of softmax(logits)[edit]. */
export function createToyGenerator(): Generator {
  let logits: readonly number[] = [1, 1, 0, -2];
  const logProbability = (choices: readonly number[]): number => {
    const logs = logSoftmax(logits);
    return choices.reduce((sum, choice) => sum + logs[choice]!, 0);
  };
  return {
    name: 'toy',
    languages: () => ['en', 'fr'],
    async generate(tasks, { count, temperature, seed }) {
      const probabilities = logSoftmax(logits.map((logit) => logit / temperature)).map(Math.exp);
      return tasks.map(({ seed: origin, lang }) => {
        const random = seededRandom(derivedSeed(seed, `${origin.id} ${lang}`));
        return Array.from({ length: count }, (): Candidate => {
          const words = origin.text.split(' ');
          const choices = words.map(() => draw(probabilities, random()));
          const text = words.map((word, i) => EDITS[choices[i]!]!(word)).filter((word) => word !== '');
          return { seed: origin.id, lang, text: text.join(' '), logProbability: logProbability(choices), choices };
        });
      });
    },
    async logProbabilities(_, candidates) {
      return Float64Array.from(candidates, ({ choices }) => logProbability(choices));
    },
    async learn(pairs, options) {
      const learned = learn(logits, pairs, options);
      logits = learned.logits;
      return learned.figures;
    },
    save(file) {
      writeFileSync(`${file}.next`, JSON.stringify(logits));
      renameSync(`${file}.next`, file);
    },
    restore(file) {
      if (!existsSync(file)) throw new Error(`there is no policy at ${file}`);
      logits = JSON.parse(readFileSync(file, 'utf8')) as number[];
    },
    async release() {},
  };
}

function learn(start: readonly number[], pairs: readonly PreferencePair[], options: PreferenceOptions) {
  const { beta, nllWeight, learningRate, epochs, batchPairs, seed } = options;
  const counts = ({ choices }: Candidate) => EDITS.map((_, edit) => choices.filter((one) => one === edit).length);
  const score = (logits: readonly number[], own: readonly number[]) => {
    const logs = logSoftmax(logits);
    return own.reduce((sum, count, edit) => sum + count * logs[edit]!, 0);
  };
  let logits: readonly number[] = start;
  let figures: PreferenceFigures = { pairs: 0, loss: 0, accuracy: 0, margin: 0, drift: 0 };
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffle([...pairs], seededRandom(derivedSeed(seed, `epoch ${epoch}`)));
    const sums = { loss: 0, accuracy: 0, margin: 0, drift: 0 };
    for (let from = 0; from < order.length; from += batchPairs) {
      const batch = order.slice(from, from + batchPairs);
      const gradient = logits.map(() => 0);
      const probabilities = logSoftmax(logits).map(Math.exp);
      for (const { chosen, rejected } of batch) {
        const [won, lost] = [counts(chosen), counts(rejected)];
        const [gainWon, gainLost] = [score(logits, won) - score(start, won), score(logits, lost) - score(start, lost)];
        const margin = beta * (gainWon - gainLost);
        const pull = beta / (1 + Math.exp(margin));
        const length = chosen.choices.length;
        for (let edit = 0; edit < EDITS.length; edit++) {
          const dWon = won[edit]! - length * probabilities[edit]!;
          const dLost = lost[edit]! - rejected.choices.length * probabilities[edit]!;
          gradient[edit]! += pull * (dWon - dLost) + (nllWeight / length) * dWon;
        }
        sums.loss += Math.log1p(Math.exp(-margin)) - (nllWeight / length) * score(logits, won);
        sums.margin += margin;
        sums.accuracy += margin > 0 ? 1 : 0;
        sums.drift += (gainWon + gainLost) / 2;
      }
      logits = logits.map((logit, edit) => logit + (learningRate * gradient[edit]!) / batch.length);
    }
    const mean = (sum: number) => sum / order.length;
    figures = {
      pairs: order.length,
      loss: mean(sums.loss),
      accuracy: mean(sums.accuracy),
      margin: mean(sums.margin),
      drift: mean(sums.drift),
    };
  }
  return { logits, figures };
}

function logSoftmax(logits: readonly number[]): number[] {
  const highest = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0)) + highest;
  return logits.map((logit) => logit - total);
}

function draw(probabilities: readonly number[], uniform: number): number {
  let left = uniform;
  for (const [index, probability] of probabilities.entries()) {
    left -= probability;
    if (left < 0) return index;
  }
  return 0;
}
