import type { RowGradients } from '../../models/embedding-table.ts';
import { ASGD_DEFAULTS } from '../../optimizers/asgd.ts';
import { clipByGlobalNorm } from '../../optimizers/clip.ts';
import {
  init,
  type OptimizerConfig,
  type OptimizerMethod,
  type OptimizerState,
  update,
} from '../../optimizers/optimizer.ts';
import type { Policy } from './policy.ts';

const WEIGHT_DECAY = 0.01;
const OPTIMIZERS: Readonly<Record<OptimizerMethod, OptimizerConfig>> = {
  adamw: { method: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: WEIGHT_DECAY },
  asgd: { method: 'asgd', ...ASGD_DEFAULTS, weightDecay: WEIGHT_DECAY },
};
/** Global norm of a step's gradients, as the paper clips its guardrail's. */
const CLIP = 1;

/** The optimizer over a policy's parameters and table. Its moments begin anew with each trainer, as with each round of DPO. */
export class PolicyTrainer {
  readonly #policy: Policy;
  readonly #config: OptimizerConfig;
  #optimizer: OptimizerState;

  constructor(policy: Policy, method: OptimizerMethod = 'adamw') {
    this.#policy = policy;
    this.#config = OPTIMIZERS[method];
    this.#optimizer = init(method, policy.parameters.values.length);
    policy.table.optimizer = init(method, policy.table.values.length);
  }

  /** One step with the gradients that the policy has just computed. */
  apply(rows: RowGradients, learningRate: number): void {
    const { parameters, table } = this.#policy;
    clipByGlobalNorm([parameters.gradients, rows.gradients], CLIP);
    this.#optimizer = update(
      this.#config,
      this.#optimizer,
      parameters.values,
      parameters.gradients,
      parameters.decay,
      learningRate,
    );
    table.apply(this.#config, rows, learningRate);
  }
}
