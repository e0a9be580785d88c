import { add, div, mul, neg, type Operand, reduceSum, softplus, sub } from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';

// Shapes: P pairs.

/** log p of the two sides of each pair, whole sequences, in nats: [P] each. The reference's are constants. */
export interface PreferenceLogs {
  readonly chosen: Tensor;
  readonly rejected: Tensor;
  readonly referenceChosen: Tensor;
  readonly referenceRejected: Tensor;
  /** [P], should sum to 1: 1 / P for a mean. */
  readonly weight: Tensor;
}

/**
 * β[(log π(c) - log ref(c)) - (log π(r) - log ref(r))]: [P], the difference of the implicit rewards (DPO, Rafailov et
 * al., arXiv 2305.18290, section 4).
 */
export function preferenceMargin(logs: PreferenceLogs, beta: Operand): Tensor {
  const gain = sub(logs.chosen, logs.referenceChosen);
  return mul(sub(gain, sub(logs.rejected, logs.referenceRejected)), beta);
}

/**
 * -log σ(margin), weighted; scalar (DPO, eq. 7). With the previous iterate as the reference, texts of people as chosen
 * and its own as rejected it is SPIN's loss (arXiv 2401.01335, section 4) with λ = β and the logistic ℓ.
 */
export function dpoLoss(logs: PreferenceLogs, beta: Operand): Tensor {
  return reduceSum(mul(logs.weight, softplus(neg(preferenceMargin(logs, beta)))), [0]);
}

/**
 * DPO plus α times the negative log-likelihood of the chosen side; scalar. The likelihood term is a mean over all
 * decisions of the chosen sides of a batch, `decisions` of them: TRL's `rpo_alpha`, which DuoGuard was trained with, is
 * the cross-entropy of the chosen labels. Iterative RPO (arXiv 2404.19733, section 2) divides each sequence by its own
 * length instead; the two agree where lengths are equal.
 */
export function rpoLoss(logs: PreferenceLogs, beta: Operand, nllWeight: Operand, decisions: Operand): Tensor {
  const likelihood = div(reduceSum(logs.chosen, [0]), decisions);
  return sub(dpoLoss(logs, beta), mul(likelihood, nllWeight));
}

/** STIC's α (arXiv 2405.19716). */
export const STIC_ALPHA = 1 / 1024;

/** DPO minus α log π(c), the whole sequence's log-likelihood and not a mean over its length; scalar (STIC). */
export function regularizedDpoLoss(logs: PreferenceLogs, beta: Operand, alpha: Operand = STIC_ALPHA): Tensor {
  return add(dpoLoss(logs, beta), mul(reduceSum(mul(logs.weight, neg(logs.chosen)), [0]), alpha));
}
