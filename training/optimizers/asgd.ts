/**
 * Accelerated SGD in the form whose risk Li et al. bound (arXiv 2311.14222; the algorithm is of Jain et al., arXiv
 * 1704.08227), with the constants of AccSGD (Kidambi et al., arXiv 1803.05591), over flat float32 arrays.
 *
 *     y = a x + (1 - a) v,  x⁺ = y - δ g(y),  z = b y + (1 - b) v,  v⁺ = z - γ g(y)
 *     b = c² ξ / κ,  a = c / (c + b),  δ = learning rate,  γ = b δ κ / c
 *
 * Parameters hold y, the point at which the gradient is taken. The state holds v - y, so that it begins at zero and a row
 * that was never read needs no care.
 */

export interface AsgdConfig {
  /** κ, the long step relative to the short one. */
  readonly kappa: number;
  /** ξ, the statistical advantage: at most √κ. */
  readonly xi: number;
  /** c, in (0, 1). */
  readonly smallConstant: number;
  /** λ, added to the gradient as λ times the parameter. */
  readonly weightDecay: number;
}

/** The defaults of AccSGD, which has no decay. */
export const ASGD_DEFAULTS: Omit<AsgdConfig, 'weightDecay'> = { kappa: 1000, xi: 10, smallConstant: 0.7 };

export interface AsgdState {
  /** v - y, as long as the parameters. */
  readonly offset: Float32Array;
  readonly step: number;
}

export function init(size: number): AsgdState {
  return { offset: new Float32Array(size), step: 0 };
}

/** One step. `parameters` and the offset are updated in place, the returned state replaces the given one. `decay` is 1 where weight decay applies. */
export function update(
  config: AsgdConfig,
  state: AsgdState,
  parameters: Float32Array,
  gradients: Float32Array,
  decay: Uint8Array,
  learningRate: number,
): AsgdState {
  const { offset, step } = state;
  const rule = stepRule(config, learningRate);
  for (let i = 0; i < parameters.length; i++) {
    const y = parameters[i]!;
    moveOne(rule, parameters, offset, i, gradients[i]! + config.weightDecay * decay[i]! * y);
  }
  return { offset, step: step + 1 };
}

/** One step on some rows of a table [R, D]: `gradients` [rows.length, D]. Other rows and their offsets stay; none decays. */
export function updateRows(
  config: AsgdConfig,
  state: AsgdState,
  table: Float32Array,
  width: number,
  rows: Int32Array,
  gradients: Float32Array,
  learningRate: number,
): AsgdState {
  const { offset, step } = state;
  const rule = stepRule(config, learningRate);
  for (let r = 0; r < rows.length; r++) {
    for (let i = 0; i < width; i++) moveOne(rule, table, offset, rows[r]! * width + i, gradients[r * width + i]!);
  }
  return { offset, step: step + 1 };
}

type StepRule = ReturnType<typeof stepRule>;

function stepRule({ kappa, xi, smallConstant: c }: AsgdConfig, short: number) {
  const b = (c * c * xi) / kappa;
  return { a: c / (c + b), b, short, long: (b * short * kappa) / c };
}

/** With u = v - y: v⁺ = y + (1 - b) u - γ g,  y⁺ = a (y - δ g) + (1 - a) v⁺ */
function moveOne({ a, b, short, long }: StepRule, y: Float32Array, u: Float32Array, i: number, g: number): void {
  const from = y[i]!;
  const pulled = (1 - b) * u[i]! - long * g;
  const moved = (1 - a) * pulled - a * short * g;
  y[i] = from + moved;
  u[i] = pulled - moved;
}
