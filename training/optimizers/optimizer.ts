import * as adamw from './adamw.ts';
import * as asgd from './asgd.ts';

/** The optimizer that settings name: AdamW, or accelerated SGD. */
export type OptimizerConfig =
  | ({ readonly method?: 'adamw' } & adamw.AdamwConfig)
  | ({ readonly method: 'asgd' } & asgd.AsgdConfig);
export type OptimizerMethod = 'adamw' | 'asgd';
export type OptimizerState = adamw.AdamwState | asgd.AsgdState;

export function init(method: OptimizerMethod, size: number): OptimizerState {
  return method === 'asgd' ? asgd.init(size) : adamw.init(size);
}

/** As `update` of the optimizer. Throws when the state is another's. */
export function update(
  config: OptimizerConfig,
  state: OptimizerState,
  parameters: Float32Array,
  gradients: Float32Array,
  decay: Uint8Array,
  learningRate: number,
): OptimizerState {
  return config.method === 'asgd'
    ? asgd.update(config, requireAsgd(state), parameters, gradients, decay, learningRate)
    : adamw.update(config, requireAdamw(state), parameters, gradients, decay, learningRate);
}

/** As `updateRows` of the optimizer. Throws when the state is another's. */
export function updateRows(
  config: OptimizerConfig,
  state: OptimizerState,
  table: Float32Array,
  width: number,
  rows: Int32Array,
  gradients: Float32Array,
  learningRate: number,
): OptimizerState {
  return config.method === 'asgd'
    ? asgd.updateRows(config, requireAsgd(state), table, width, rows, gradients, learningRate)
    : adamw.updateRows(config, requireAdamw(state), table, width, rows, gradients, learningRate);
}

function requireAsgd(state: OptimizerState): asgd.AsgdState {
  if ('offset' in state) return state;
  throw new TypeError('the state of AdamW cannot go on with accelerated SGD');
}

function requireAdamw(state: OptimizerState): adamw.AdamwState {
  if ('mean' in state) return state;
  throw new TypeError('the state of accelerated SGD cannot go on with AdamW');
}
