import type { OpAttributes, OpName } from './op-table.ts';
import { SHAPE_RULES, ShapeError } from './shapes.ts';
import type { DType, GraphHandle, Node, Shape, Tensor, TensorData } from './tensor.ts';

export interface Constant {
  readonly tensor: Tensor;
  readonly data: TensorData;
}

/** Trainable values live outside the graph and are fed; the graph only knows their name and shape. */
export interface Parameter {
  readonly tensor: Tensor;
  /** Written once into a fresh array of the parameter's size. */
  readonly initialise: (values: Float32Array, random: () => number) => void;
  /** Matrices decay, biases and norms do not (Loshchilov and Hutter, arXiv 1711.05101, section 5 practice). */
  readonly decay: boolean;
}

const DTYPE_OF = new Map<unknown, DType>([
  [Float32Array, 'float32'],
  [Int32Array, 'int32'],
  [BigInt64Array, 'int64'],
  [Uint8Array, 'bool'],
]);

/** A graph under construction: nodes in topological order because an operator can only use what exists. */
export class Graph implements GraphHandle {
  readonly inputs: Tensor[] = [];
  readonly parameters: Parameter[] = [];
  readonly constants: Constant[] = [];
  readonly nodes: Node[] = [];
  readonly #names = new Set<string>();
  readonly #scalars = new Map<string, Tensor>();

  input(name: string, dtype: DType, shape: Shape): Tensor {
    const tensor = this.#tensor(name, dtype, shape);
    this.inputs.push(tensor);
    return tensor;
  }

  parameter(name: string, shape: Shape, initialise: Parameter['initialise'], decay: boolean): Tensor {
    const tensor = this.#tensor(name, 'float32', shape);
    this.parameters.push({ tensor, initialise, decay });
    return tensor;
  }

  /** A number becomes a scalar (one per value and dtype); an array needs its shape. */
  constant(data: TensorData | number, shape: readonly number[] = [], dtype: DType = 'float32'): Tensor {
    if (typeof data !== 'number') return this.#constant(data, shape);
    const key = `${dtype}:${data}`;
    const known = this.#scalars.get(key);
    if (known) return known;
    const array =
      dtype === 'int64'
        ? BigInt64Array.of(BigInt(data))
        : dtype === 'int32'
          ? Int32Array.of(data)
          : Float32Array.of(data);
    const tensor = this.#constant(array, []);
    this.#scalars.set(key, tensor);
    return tensor;
  }

  apply<O extends OpName>(op: O, inputs: readonly Tensor[], attributes: OpAttributes[O]): readonly Tensor[] {
    for (const tensor of inputs) {
      if (tensor.graph !== this) throw new ShapeError(`${op}: ${tensor.name} belongs to another graph`);
    }
    const types = SHAPE_RULES[op](inputs, attributes);
    const outputs: Tensor[] = [];
    const node: Node<O> = { op, inputs, attributes, outputs };
    for (const [index, { dtype, shape }] of types.entries()) {
      outputs.push({ name: `${op}_${this.nodes.length}_${index}`, dtype, shape, graph: this, node: node as Node });
    }
    this.nodes.push(node as Node);
    return outputs;
  }

  #tensor(name: string, dtype: DType, shape: Shape): Tensor {
    if (this.#names.has(name)) throw new ShapeError(`the name ${name} is taken`);
    this.#names.add(name);
    return { name, dtype, shape, graph: this };
  }

  #constant(data: TensorData, shape: readonly number[]): Tensor {
    const dtype = DTYPE_OF.get(data.constructor);
    const size = shape.reduce((n, dim) => n * dim, 1);
    if (!dtype || data.length !== size)
      throw new ShapeError(`a constant of ${data.length} values with shape [${shape}]`);
    const tensor: Tensor = { name: `constant_${this.constants.length}`, dtype, shape, graph: this };
    this.constants.push({ tensor, data });
    return tensor;
  }
}

/** The nodes that `outputs` depend on, in topological order. */
export function reachable(graph: Graph, outputs: readonly Tensor[]): readonly Node[] {
  const needed = new Set<Node>();
  const stack = outputs.flatMap((tensor) => tensor.node ?? []);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (needed.has(node)) continue;
    needed.add(node);
    for (const tensor of node.inputs) if (tensor.node) stack.push(tensor.node);
  }
  return graph.nodes.filter((node) => needed.has(node));
}
