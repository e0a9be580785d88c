import { add, exp, log, mul, neg, reduceLogSumExp, reduceSum, softplus, sub } from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';

/**
 * Losses of a batch of B texts over C categories. `targets` [B, C] is 1 where a category holds. A row whose `known` [B]
 * is 0 is unsafe in a category nobody named: it teaches "at least one of them", never "none". `weight` [B] scales each
 * row and should sum to 1 over the step.
 */
export interface LabelledBatch {
  readonly targets: Tensor;
  readonly known: Tensor;
  readonly weight: Tensor;
}

export type MultilabelLoss = (logits: Tensor, batch: LabelledBatch) => Tensor;

/** Mean of two per-row losses, chosen by whether the categories are known; scalar. */
function weighted(knownLoss: Tensor, unknownLoss: Tensor, { known, weight }: LabelledBatch): Tensor {
  return reduceSum(mul(weight, add(mul(known, knownLoss), mul(sub(1, known), unknownLoss))), [0]);
}

/**
 * Sum of C binary cross-entropies (DuoGuard, arXiv 2502.05163, eq. 4.6): Σ_c softplus(s_c) - y_c s_c. For an unknown
 * category, which the paper does not treat: -log(1 - Π_c (1 - σ(s_c))) with log Π (1 - σ) = -Σ softplus(s_c).
 */
const binaryCrossEntropy: MultilabelLoss = (logits, batch) => {
  const negatives = softplus(logits);
  const knownLoss = reduceSum(sub(negatives, mul(batch.targets, logits)), [1]);
  const none = neg(reduceSum(negatives, [1]));
  // The small term keeps the logarithm finite when all probabilities vanish.
  const unknownLoss = neg(log(add(sub(1, exp(none)), 1e-6)));
  return weighted(knownLoss, unknownLoss, batch);
};

const EXCLUDED = 1e4;

/**
 * Multilabel categorical cross-entropy, as in DuoGuard's code: log(1 + Σ_neg e^s) + log(1 + Σ_pos e^-s). With
 * L = log Σ e the terms are softplus(L_neg(s)) and softplus(L_pos(-s)); for an unknown category softplus(-L_all(s)),
 * so that some category has to rise.
 */
const multilabelCategorical: MultilabelLoss = (logits, batch) => {
  const negatives = reduceLogSumExp(sub(logits, mul(batch.targets, EXCLUDED)), [1]);
  const positives = reduceLogSumExp(sub(neg(logits), mul(sub(1, batch.targets), EXCLUDED)), [1]);
  const knownLoss = add(softplus(negatives), softplus(positives));
  const unknownLoss = softplus(neg(reduceLogSumExp(logits, [1])));
  return weighted(knownLoss, unknownLoss, batch);
};

export const MULTILABEL_LOSSES = { bce: binaryCrossEntropy, mcc: multilabelCategorical } as const;
export type MultilabelLossName = keyof typeof MULTILABEL_LOSSES;
