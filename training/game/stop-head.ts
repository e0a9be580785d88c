/**
 * Decides between two chunks whether a text is complete: π(stop) = σ(w · x). It learns from nodes where ending the text
 * there and going on had different outcomes, by DPO on this policy of two actions. As log π(stop) - log π(go on) = w · x,
 * the loss is -log σ(±β (w - w_ref) · x), plus where stopping was better.
 */
export class StopHead {
  readonly weights: number[];
  readonly #reference: readonly number[];

  /** The reference are the weights that it begins with. */
  constructor(weights: readonly number[] = FIRST_WEIGHTS) {
    this.weights = [...weights];
    this.#reference = [...weights];
  }

  probability(node: StopFeatures): number {
    return sigmoid(dot(this.weights, node));
  }

  /** One step of gradient descent; the loss before it. */
  learn(node: StopFeatures, stopped: boolean, { beta, learningRate }: StopOptions): number {
    const sign = stopped ? 1 : -1;
    const gained = this.weights.map((weight, i) => weight - this.#reference[i]!);
    const margin = sign * beta * dot(gained, node);
    const pull = sign * beta * sigmoid(-margin) * learningRate;
    for (const [i, x] of node.entries()) this.weights[i]! += pull * x;
    return Math.log1p(Math.exp(-margin));
  }
}

export interface StopOptions {
  readonly beta: number;
  readonly learningRate: number;
}

/** 1, the share of the slots that are filled, and the share of those that aren't plain. */
export type StopFeatures = readonly [bias: 1, filled: number, edited: number];

export function stopFeatures(prefix: readonly number[], slots: number): StopFeatures {
  const edited = prefix.filter((choice) => choice !== 0).length;
  return [1, prefix.length / slots, edited / Math.max(1, prefix.length)];
}

/** One text in eight ends at a node. */
const FIRST_WEIGHTS = [-2, 0, 0];

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
