import { DuoguardError } from '../errors.ts';
import type { Engine, Sequence } from '../inference/engine.ts';
import { CATEGORIES } from '../taxonomy.ts';
import { mergeWindows } from '../text/windows.ts';
import type { Manifest } from './manifest.ts';

/** Far more than a canary takes, and an end to waiting when the model never answers. */
const TIMEOUT_MS = 30_000;

/**
 * Scores every canary text on every worker and compares with the manifest: the proof that model, tokenizer, runtime and
 * label order work together as they did when the checkpoint was made. It warms the workers up, too.
 * Throws `checkpoint_canary_mismatch`, or what scoring threw.
 */
export async function checkCanaries(
  manifest: Manifest,
  encode: (text: string) => readonly Sequence[],
  engine: Engine,
  workers: number,
): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (const [index, canary] of manifest.canaries.entries()) {
    const windows = encode(canary.text);
    // As many copies as there are idle workers: each takes one, and no neighbour in the batch can change the result.
    const copies = await Promise.all(
      Array.from({ length: workers }, async () => {
        const rows: Float32Array[] = [];
        for (const window of windows) rows.push(await scoreAlone(engine, window, signal));
        return mergeWindows(rows);
      }),
    );
    for (const scores of copies) compare(index, scores, canary.scores, manifest.canary_tolerance);
  }
}

async function scoreAlone(engine: Engine, window: Sequence, signal: AbortSignal): Promise<Float32Array> {
  const [score] = (await engine.submit([window], signal)).scores;
  if (!(score instanceof Float32Array)) throw score;
  return score;
}

function compare(index: number, actual: Float32Array, expected: readonly number[], tolerance: number): void {
  for (const [label, score] of actual.entries()) {
    const difference = Math.abs(score - (expected[label] as number));
    if (difference <= tolerance) continue;
    throw new DuoguardError('checkpoint_canary_mismatch', {
      message: `Canary ${index} gets ${score.toFixed(4)} for ${CATEGORIES[label]}, where the manifest says ${expected[label]?.toFixed(4)} (tolerance ${tolerance}).`,
      details: { canary: index, category: CATEGORIES[label], difference },
    });
  }
}
