import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { CheckpointRegistry } from '../checkpoint/registry.ts';
import { DuoguardError } from '../errors.ts';
import { createPolicy, decide, type Policy } from '../policy/decide.ts';
import { CATEGORIES, perCategory } from '../taxonomy.ts';
import { mergeWindows } from '../text/windows.ts';
import type { Classifier, ClassifyRequest, ItemFailure, ItemVerdict } from './contract.ts';
import { explainItem } from './explain.ts';
import { type PreparedItem, prepareItem } from './prepare.ts';

export interface ClassifierDependencies {
  /** To use one checkpoint for good: `createRegistry(checkpoint)`. */
  readonly registry: Pick<CheckpointRegistry, 'lease'>;
}

export function createClassifier({ registry }: ClassifierDependencies): Classifier {
  return {
    async classify(request) {
      const began = performance.now();
      const { checkpoint, release } = registry.lease();
      try {
        const items = await prepareItems(request, checkpoint);
        const tokenization = performance.now() - began;
        const scored = await checkpoint.engine.submit(items.flatMap(sequencesOf), request.signal);
        const policy = createPolicy(checkpoint.manifest.thresholds, request);
        const judged = judgeItems(items, scored.scores, policy);
        const explained = request.explain
          ? await explainItems(items, scored.scores, judged, checkpoint, request.signal)
          : { results: judged, queueMs: 0, inferenceMs: 0 };
        return {
          checkpoint: checkpoint.id,
          results: explained.results,
          usage: { tokens: items.reduce((sum, item) => sum + tokensOf(item), 0) },
          timing_ms: {
            tokenization,
            queue: scored.queueMs + explained.queueMs,
            inference: scored.inferenceMs + explained.inferenceMs,
            total: performance.now() - began,
          },
        };
      } finally {
        release();
      }
    },
  };
}

/** Longest stretch of tokenising before other requests and health checks get their turn. */
const YIELD_AFTER_MS = 5;

async function prepareItems(
  { items, longInput, signal }: ClassifyRequest,
  checkpoint: Checkpoint,
): Promise<(PreparedItem | DuoguardError)[]> {
  const prepared: (PreparedItem | DuoguardError)[] = [];
  let turnBegan = performance.now();
  for (const item of items) {
    if (performance.now() - turnBegan > YIELD_AFTER_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) break;
      turnBegan = performance.now();
    }
    prepared.push(unlessFailed(() => prepareItem(item, checkpoint, longInput)));
  }
  return prepared;
}

/** One after the other, so that a batch of items has no larger share of the queue than one. */
async function explainItems(
  items: readonly (PreparedItem | DuoguardError)[],
  scores: readonly (Float32Array | DuoguardError)[],
  judged: readonly (ItemVerdict | ItemFailure)[],
  checkpoint: Checkpoint,
  signal: AbortSignal,
) {
  const results: (ItemVerdict | ItemFailure)[] = [];
  let queueMs = 0;
  let inferenceMs = 0;
  let next = 0;
  for (const [index, item] of items.entries()) {
    const result = judged[index] as ItemVerdict | ItemFailure;
    const own = scores.slice(next, next + sequencesOf(item).length) as Float32Array[];
    next += own.length;
    if (item instanceof DuoguardError || 'error' in result) results.push(result);
    else if (!result.flagged) results.push({ ...result, spans: [] });
    else {
      const explanation = await explainItem(item, own, result.top_category, checkpoint, signal);
      results.push({ ...result, spans: explanation.spans });
      queueMs += explanation.queueMs;
      inferenceMs += explanation.inferenceMs;
    }
  }
  return { results, queueMs, inferenceMs };
}

/** In item order. Throws the first failure when every item failed. */
function judgeItems(
  items: readonly (PreparedItem | DuoguardError)[],
  scores: readonly (Float32Array | DuoguardError)[],
  policy: Policy,
): (ItemVerdict | ItemFailure)[] {
  let next = 0;
  const outcomes = items.map((item, index) => {
    if (item instanceof DuoguardError) return item;
    const own = scores.slice(next, next + item.sequences.length);
    next += item.sequences.length;
    return own.find((score) => score instanceof DuoguardError) ?? judge(index, item, own as Float32Array[], policy);
  });
  const failures = outcomes.filter((outcome) => outcome instanceof DuoguardError);
  if (failures[0] !== undefined && failures.length === outcomes.length) throw failures[0];
  return outcomes.map((outcome, index) =>
    outcome instanceof DuoguardError ? { index, error: { code: outcome.code, message: outcome.message } } : outcome,
  );
}

/** `scores`: one row per sequence of the item; none when the item has no text, which is safe. */
function judge(index: number, item: PreparedItem, scores: readonly Float32Array[], policy: Policy): ItemVerdict {
  const byReading = mergeReadings(item, scores);
  const merged = byReading.length > 0 ? mergeWindows(byReading) : new Float32Array(CATEGORIES.length);
  return {
    index,
    ...decide(merged, policy),
    category_scores: perCategory((_, label) => merged[label] as number),
    tokens: item.tokens,
    windows: item.windows,
    ...judgeViews(item, byReading, policy),
  };
}

/** One row per reading. */
function mergeReadings({ readings }: PreparedItem, scores: readonly Float32Array[]): Float32Array[] {
  let next = 0;
  return readings.map(({ windows }) => {
    const own = scores.slice(next, next + windows.length);
    next += windows.length;
    return mergeWindows(own);
  });
}

/** Nothing when the normalised text was all there is. */
function judgeViews(
  { readings }: PreparedItem,
  scores: readonly Float32Array[],
  policy: Policy,
): Pick<ItemVerdict, 'views'> {
  if (readings.every(({ view }) => view === 'normalized')) return {};
  return {
    views: readings.map(({ view }, index) => {
      const { flagged, score } = decide(scores[index] as Float32Array, policy);
      return { view, flagged, score };
    }),
  };
}

function sequencesOf(item: PreparedItem | DuoguardError): PreparedItem['sequences'] {
  return item instanceof DuoguardError ? [] : item.sequences;
}

function tokensOf(item: PreparedItem | DuoguardError): number {
  return item instanceof DuoguardError ? 0 : item.tokens;
}

function unlessFailed<T>(work: () => T): T | DuoguardError {
  try {
    return work();
  } catch (error) {
    if (error instanceof DuoguardError) return error;
    throw error;
  }
}
