import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { encodeWindows } from '../checkpoint/encode.ts';
import { DuoguardError } from '../errors.ts';
import type { Sequence } from '../inference/engine.ts';
import { type Category, categoryIndex } from '../taxonomy.ts';
import type { Span } from '../text/mapped-text.ts';
import { segmentsOf } from '../text/segments.ts';
import type { DecisiveSpan } from './contract.ts';
import { type Carrier, firstLook, pickCarriers, secondLook, without } from './occlusion.ts';
import type { PreparedItem, PreparedReading } from './prepare.ts';

export interface Explanation {
  readonly spans: readonly DecisiveSpan[];
  readonly queueMs: number;
  readonly inferenceMs: number;
}

/**
 * Which words carry an item's category: the window and reading where it scored highest is scored again with words left
 * out, groups of neighbours first when there are many. At most two submissions and 49 sequences.
 * `scores`: those of the item's sequences. Rejects as `Engine.submit` does.
 */
export async function explainItem(
  item: PreparedItem,
  scores: readonly Float32Array[],
  category: Category,
  checkpoint: Checkpoint,
  signal: AbortSignal,
): Promise<Explanation> {
  const label = categoryIndex(category);
  const { reading, window } = decisiveWindow(item, scores, label);
  const { text, starts, ends } = await item.readWindow(reading, window, signal);
  const scorer = createScorer(checkpoint, label, signal);
  const carriers = await findCarriers(text, scorer.logOdds);
  const found = carriers.length > 0 ? carriers : [{ start: 0, end: text.length, weight: 1 }];
  const { view } = item.readings[reading] as PreparedReading;
  const spans = found.map(
    ({ start, end, weight }): DecisiveSpan => ({
      start: starts[start] ?? 0,
      end: ends[end - 1] ?? 0,
      category,
      score: weight,
      view,
      window,
    }),
  );
  return { spans, ...scorer.spent() };
}

/** `logOdds` of the category, one per text. */
async function findCarriers(
  text: string,
  logOdds: (texts: readonly string[]) => Promise<number[]>,
): Promise<Carrier[]> {
  const words = segmentsOf(text);
  if (words.length < 2) return [];
  const groups = firstLook(words);
  const stretches = groups.map((group) => ({ start: group[0]?.start ?? 0, end: group.at(-1)?.end ?? 0 }));
  const [whole = 0, ...first] = await logOdds([text, ...stretches.map((stretch) => without(text, stretch))]);
  const falls = first.map((odds) => whole - odds);
  if (groups.length === words.length) return pickCarriers(text, weigh(words, falls));
  const chosen = secondLook(groups, falls);
  const second = await logOdds(chosen.map((word) => without(text, word)));
  return pickCarriers(
    text,
    weigh(
      chosen,
      second.map((odds) => whole - odds),
    ),
  );
}

function weigh(words: readonly Span[], falls: readonly number[]) {
  return words.map((word, index) => ({ ...word, fall: falls[index] as number }));
}

/** Numbers of the reading and of its window where the category scored highest. */
function decisiveWindow({ readings }: PreparedItem, scores: readonly Float32Array[], label: number) {
  let next = 0;
  const windows = readings.flatMap(({ windows }, reading) =>
    windows.map((_, window) => ({ reading, window, score: scores[next++]?.[label] ?? 0 })),
  );
  return windows.reduce((best, candidate) => (candidate.score > best.score ? candidate : best));
}

/** Keeps them finite where float32 has rounded a probability to 0 or 1. */
const CERTAIN = 1e-7;

function createScorer(checkpoint: Checkpoint, label: number, signal: AbortSignal) {
  let queueMs = 0;
  let inferenceMs = 0;
  return {
    async logOdds(texts: readonly string[]): Promise<number[]> {
      const sequences = texts.map(
        (text) => encodeWindows(checkpoint, checkpoint.tokenizer.encode(text))[0] as Sequence,
      );
      const scored = await checkpoint.engine.submit(sequences, signal);
      queueMs += scored.queueMs;
      inferenceMs += scored.inferenceMs;
      return scored.scores.map((row) => {
        if (row instanceof DuoguardError) throw row;
        const p = Math.min(1 - CERTAIN, Math.max(CERTAIN, row[label] as number));
        return Math.log(p / (1 - p));
      });
    },
    spent: () => ({ queueMs, inferenceMs }),
  };
}
