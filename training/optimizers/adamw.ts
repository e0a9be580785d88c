/** AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, decoupled decay), over flat float32 arrays. */

export interface AdamwConfig {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** λ, multiplied by the learning rate. */
  readonly weightDecay: number;
}

export interface AdamwState {
  /** First and second moments, as long as the parameters. */
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  /** Updates done; drives the bias correction. */
  readonly step: number;
}

export function init(size: number): AdamwState {
  return { mean: new Float32Array(size), variance: new Float32Array(size), step: 0 };
}

/**
 * One step. `parameters` and the moments are updated in place (they are the largest arrays of a run), the returned
 * state replaces the given one. `decay` is 1 where weight decay applies.
 */
export function update(
  config: AdamwConfig,
  state: AdamwState,
  parameters: Float32Array,
  gradients: Float32Array,
  decay: Uint8Array,
  learningRate: number,
): AdamwState {
  const step = state.step + 1;
  const { mean, variance } = state;
  const rule = stepRule(config, step, learningRate);
  for (let i = 0; i < parameters.length; i++) {
    const g = gradients[i]!;
    const m = rule.beta1 * mean[i]! + rule.mix1 * g;
    const v = rule.beta2 * variance[i]! + rule.mix2 * g * g;
    mean[i] = m;
    variance[i] = v;
    const p = parameters[i]!;
    parameters[i] = p - rule.rate * (m / (Math.sqrt(v) * rule.root + rule.epsilon)) - decay[i]! * rule.decay * p;
  }
  return { mean, variance, step };
}

/**
 * One step on some rows of a table [R, D]: `gradients` [rows.length, D]. Moments of untouched rows stay as they are
 * ("lazy" Adam), so that the cost follows the batch and not the vocabulary. Embeddings do not decay.
 */
export function updateRows(
  config: AdamwConfig,
  state: AdamwState,
  table: Float32Array,
  width: number,
  rows: Int32Array,
  gradients: Float32Array,
  learningRate: number,
): AdamwState {
  const step = state.step + 1;
  const { mean, variance } = state;
  const rule = stepRule(config, step, learningRate);
  for (let r = 0; r < rows.length; r++) {
    const base = rows[r]! * width;
    const from = r * width;
    for (let i = 0; i < width; i++) {
      const g = gradients[from + i]!;
      const m = rule.beta1 * mean[base + i]! + rule.mix1 * g;
      const v = rule.beta2 * variance[base + i]! + rule.mix2 * g * g;
      mean[base + i] = m;
      variance[base + i] = v;
      table[base + i]! -= rule.rate * (m / (Math.sqrt(v) * rule.root + rule.epsilon));
    }
  }
  return { mean, variance, step };
}

function stepRule({ beta1, beta2, epsilon, weightDecay }: AdamwConfig, step: number, learningRate: number) {
  return {
    beta1,
    beta2,
    mix1: 1 - beta1,
    mix2: 1 - beta2,
    epsilon,
    rate: learningRate / (1 - beta1 ** step),
    /** 1 / √(1 - β₂ᵗ), the correction of the second moment taken out of the root. */
    root: 1 / Math.sqrt(1 - beta2 ** step),
    decay: learningRate * weightDecay,
  };
}
