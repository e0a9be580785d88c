import type { Graph } from '../graph/graph.ts';
import type { Shape, Tensor } from '../graph/tensor.ts';
import { gaussian } from '../random.ts';

/** A place in the model that names its parameters: `scope.at('layer0').parameter('weight', ...)` is `layer0.weight`. */
export class Scope {
  readonly graph: Graph;
  /** Chance that a value is dropped in training; 0 builds the same model without dropout. */
  readonly dropoutRate: number;
  /** Masks the training loop has to feed, in creation order; shared by all scopes of a model. */
  readonly dropoutMasks: Tensor[];
  readonly #prefix: string;

  constructor(graph: Graph, dropoutRate = 0, prefix = '', dropoutMasks: Tensor[] = []) {
    this.graph = graph;
    this.dropoutRate = dropoutRate;
    this.dropoutMasks = dropoutMasks;
    this.#prefix = prefix;
  }

  at(name: string): Scope {
    return new Scope(this.graph, this.dropoutRate, `${this.#prefix}${name}.`, this.dropoutMasks);
  }

  /** Normal with standard deviation `deviation`; decays. */
  matrix(name: string, shape: Shape, deviation: number): Tensor {
    const initialise = (values: Float32Array, random: () => number): void => {
      for (let i = 0; i < values.length; i++) values[i] = deviation * gaussian(random);
    };
    return this.graph.parameter(this.#prefix + name, shape, initialise, true);
  }

  /** All equal to `value`; does not decay. */
  vector(name: string, size: number, value: number): Tensor {
    return this.graph.parameter(this.#prefix + name, [size], (values) => values.fill(value), false);
  }

  /** A mask of x's shape that the training loop feeds: 0 where dropped, 1 / (1 - rate) elsewhere. */
  dropoutMask(x: Tensor): Tensor {
    const mask = this.graph.input(`dropout_${this.dropoutMasks.length}`, 'float32', x.shape);
    this.dropoutMasks.push(mask);
    return mask;
  }
}
