import type { Parameter } from '../graph/graph.ts';
import { type Feeds, toTensor } from '../graph/session.ts';
import { derivedSeed, seededRandom } from '../random.ts';

/**
 * The dense parameters of a model in one flat array, so that an optimizer is one loop, with a tensor per parameter
 * that views its part. Gradients lie in the same order.
 */
export class ParameterSet {
  readonly values: Float32Array;
  readonly gradients: Float32Array;
  /** 1 where weight decay applies. */
  readonly decay: Uint8Array;
  /** Feeds for a graph whose parameters are inputs. */
  readonly feeds: Feeds = {};
  /** Where a session writes the outputs named `d:<parameter>`. */
  readonly gradientOutputs: Feeds = {};
  readonly #views = new Map<string, Float32Array>();

  constructor(parameters: readonly Parameter[], seed: number) {
    const sizes = parameters.map(({ tensor }) => size(tensor.shape as number[]));
    const total = sizes.reduce((sum, n) => sum + n, 0);
    this.values = new Float32Array(total);
    this.gradients = new Float32Array(total);
    this.decay = new Uint8Array(total);
    let offset = 0;
    for (const [index, { tensor, initialise, decay }] of parameters.entries()) {
      const end = offset + sizes[index]!;
      const view = this.values.subarray(offset, end);
      initialise(view, seededRandom(derivedSeed(seed, tensor.name)));
      if (decay) this.decay.fill(1, offset, end);
      this.#views.set(tensor.name, view);
      this.feeds[tensor.name] = toTensor(view, tensor.shape as number[]);
      this.gradientOutputs[gradientName(tensor.name)] = toTensor(
        this.gradients.subarray(offset, end),
        tensor.shape as number[],
      );
      offset = end;
    }
  }

  /** Values by parameter name; views, not copies. */
  byName(): ReadonlyMap<string, Float32Array> {
    return this.#views;
  }
}

export function gradientName(parameter: string): string {
  return `d:${parameter}`;
}

function size(shape: readonly number[]): number {
  return shape.reduce((n, dim) => n * dim, 1);
}
