import type { RowGradients } from '../../models/embedding-table.ts';
import * as adamw from '../../optimizers/adamw.ts';
import { clipByGlobalNorm } from '../../optimizers/clip.ts';
import type { Policy } from './policy.ts';

const OPTIMIZER: adamw.AdamwConfig = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
/** Global norm of a step's gradients, as the paper clips its guardrail's. */
const CLIP = 1;

/** AdamW over a policy's parameters and table. Its moments begin anew with each trainer, as with each round of DPO. */
export class PolicyTrainer {
  readonly #policy: Policy;
  #optimizer: adamw.AdamwState;

  constructor(policy: Policy) {
    this.#policy = policy;
    this.#optimizer = adamw.init(policy.parameters.values.length);
    policy.table.optimizer = adamw.init(policy.table.values.length);
  }

  /** One step with the gradients that the policy has just computed. */
  apply(rows: RowGradients, learningRate: number): void {
    const { parameters, table } = this.#policy;
    clipByGlobalNorm([parameters.gradients, rows.gradients], CLIP);
    this.#optimizer = adamw.update(
      OPTIMIZER,
      this.#optimizer,
      parameters.values,
      parameters.gradients,
      parameters.decay,
      learningRate,
    );
    table.apply(OPTIMIZER, rows, learningRate);
  }
}
