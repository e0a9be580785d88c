import { gradients } from '../../training/graph/autodiff.ts';
import { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import { mul, reduceSum } from '../../training/graph/ops.ts';
import { type Feeds, GraphSession, toTensor } from '../../training/graph/session.ts';
import type { Shape, Tensor } from '../../training/graph/tensor.ts';
import { seededRandom } from '../../training/random.ts';

export interface GradientCase {
  /** Shapes of the differentiated operands. Symbolic dimensions take their value from `sizes`. */
  readonly operands: readonly Shape[];
  readonly sizes?: Readonly<Record<string, number>>;
  /** Where operand values are drawn from, uniformly. */
  readonly range?: readonly [number, number];
  readonly build: (graph: Graph, operands: readonly Tensor[]) => Tensor;
  readonly seed?: number;
  /** Of the differences: smaller where the function bends more, larger where rounding drowns them. */
  readonly step?: number;
}

/**
 * Largest relative error (norm of the difference over norm of the reference, per operand) between the graph's gradient
 * of Σ weightᵢ·yᵢ and fourth-order central differences. The weighted sum is taken in float64 outside the graph, so that
 * float32 rounding of a long sum does not drown the differences.
 */
export async function gradientError({
  operands,
  sizes = {},
  range = [-1.5, 1.5],
  build,
  seed = 1,
  step: h = 2e-2,
}: GradientCase): Promise<number> {
  const random = seededRandom(seed);
  const resolve = (shape: Shape): number[] =>
    shape.map((dim) => (typeof dim === 'number' ? dim : (sizes[dim] as number)));
  const draw = (length: number, [low, high]: readonly [number, number]): Float32Array =>
    Float32Array.from({ length }, () => low + (high - low) * random());

  const graph = new Graph();
  const inputs = operands.map((shape, index) => graph.input(`x${index}`, 'float32', shape));
  const y = build(graph, inputs);
  const weight = graph.input('weight', 'float32', y.shape);
  const loss = reduceSum(
    mul(y, weight),
    y.shape.map((_, axis) => axis),
  );
  const derived = gradients(graph, loss, inputs);

  const values = operands.map((shape) =>
    draw(
      resolve(shape).reduce((n, dim) => n * dim, 1),
      range,
    ),
  );
  const outputShape = resolve(y.shape);
  const weights = draw(
    outputShape.reduce((n, dim) => n * dim, 1),
    [0.5, 1.5],
  );
  const feeds: Feeds = Object.fromEntries(
    values.map((data, index) => [`x${index}`, toTensor(data, resolve(operands[index] as Shape))]),
  );

  const forward = await GraphSession.create(toOnnx(graph, { outputs: { y } }), { threads: 1 });
  const backward = await GraphSession.create(
    toOnnx(graph, { outputs: Object.fromEntries(derived.map((tensor, index) => [`dx${index}`, tensor])) }),
    { threads: 1 },
  );
  const analytic = await backward.evaluate({ ...feeds, weight: toTensor(weights, outputShape) });
  const objective = async (): Promise<number> => {
    const result = (await forward.evaluate(feeds))['y']?.data as Float32Array;
    return result.reduce((sum, value, index) => sum + value * (weights[index] as number), 0);
  };

  let worst = 0;
  for (const [index, data] of values.entries()) {
    const gradient = analytic[`dx${index}`]?.data as Float32Array;
    let difference = 0;
    let reference = 0;
    for (let i = 0; i < data.length; i++) {
      const at = async (step: number): Promise<number> => {
        const kept = data[i] as number;
        data[i] = kept + step;
        const result = await objective();
        data[i] = kept;
        return result;
      };
      const numeric = (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
      difference += (numeric - (gradient[i] as number)) ** 2;
      reference += numeric ** 2;
    }
    worst = Math.max(worst, Math.sqrt(difference) / Math.max(Math.sqrt(reference), 1e-3));
  }
  await Promise.all([forward.release(), backward.release()]);
  return worst;
}
