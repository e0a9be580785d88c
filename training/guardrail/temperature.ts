/** Logits of the overall score, by row, with what each row is and counts. */
export interface ScoredRows {
  /** What the overall score is the sigmoid of: 0 where a row just reaches its threshold. */
  readonly margins: Float64Array;
  readonly unsafe: Uint8Array;
  readonly weights: Float32Array;
}

/** Not below 1: a few held-out rows that are told apart without a mistake would make the scores as sure as can be. */
const LOWEST = 0;
const HIGHEST = Math.log(16);
const STEPS = 60;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Temperature T in [1, 16] that minimises the weighted negative log-likelihood of sigmoid(margin / T) (Guo et al., arXiv
 * 1706.04599, section 4.2). Dividing by it changes no order and no decision, only how sure the scores sound. The
 * likelihood is concave in 1 / T, so a golden-section search finds the minimum.
 */
export function fitTemperature(rows: ScoredRows): number {
  let [low, high] = [LOWEST, HIGHEST];
  for (let step = 0; step < STEPS; step++) {
    const [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    if (negativeLogLikelihood(rows, Math.exp(left)) < negativeLogLikelihood(rows, Math.exp(right))) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}

function negativeLogLikelihood({ margins, unsafe, weights }: ScoredRows, temperature: number): number {
  let total = 0;
  for (const [row, margin] of margins.entries()) {
    const towards = (unsafe[row] ? margin : -margin) / temperature;
    // log(1 + e^-z) without overflow.
    total += weights[row]! * (Math.max(-towards, 0) + Math.log1p(Math.exp(-Math.abs(towards))));
  }
  return total;
}
