import { type Graph, reachable } from './graph.ts';
import type { OnnxAttribute, OnnxInitializer, OnnxModel, OnnxNode, OnnxValue } from './onnx.ts';
import type { OpAttributes, OpName } from './op-table.ts';
import type { Dim, DType, Node, Tensor } from './tensor.ts';

export interface LowerOptions {
  /** Graph outputs by the name they get in the model. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Values to bake in. Without it the parameters are inputs, fed at every run (training). */
  readonly parameters?: ReadonlyMap<string, Float32Array>;
}

/** Translates a graph into an ONNX model, keeping only what its outputs need. */
export function toOnnx(graph: Graph, { outputs, parameters }: LowerOptions): OnnxModel {
  const nodes = reachable(graph, Object.values(outputs));
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...Object.values(outputs)]);
  const lowering = new Lowering(graph, used);
  for (const node of nodes) lowering.node(node);
  for (const [name, tensor] of Object.entries(outputs)) lowering.emit('Identity', [tensor.name], [name]);

  const value = ({ name, dtype, shape }: Tensor): OnnxValue => ({ name, type: dtype, shape });
  const inputs = graph.inputs.filter((tensor) => used.has(tensor) || lowering.measured.has(tensor)).map(value);
  for (const { tensor } of graph.parameters.filter(({ tensor }) => used.has(tensor))) {
    const data = parameters?.get(tensor.name);
    if (data) lowering.initializer({ name: tensor.name, type: 'float32', shape: tensor.shape as number[], data });
    else if (parameters) throw new Error(`no value for the parameter ${tensor.name}`);
    else inputs.push(value(tensor));
  }
  for (const { tensor, data } of graph.constants.filter(({ tensor }) => used.has(tensor))) {
    lowering.initializer({ name: tensor.name, type: tensor.dtype, shape: tensor.shape as number[], data });
  }
  const results = Object.entries(outputs).map(([name, { dtype, shape }]): OnnxValue => ({ name, type: dtype, shape }));
  return { nodes: lowering.nodes, initializers: lowering.initializers, inputs, outputs: results };
}

const ONNX_TYPE: Record<DType, number> = { float32: 1, int32: 6, int64: 7, bool: 9 };
const int = (value: number): OnnxAttribute => ({ int: value });
const flag = (value: boolean): OnnxAttribute => ({ int: value ? 1 : 0 });

class Lowering {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  /** Inputs whose sizes give symbolic dimensions their value. */
  readonly measured = new Set<Tensor>();
  readonly #integers = new Map<string, string>();
  readonly #sizes = new Map<string, string>();
  readonly #known: Tensor[];
  readonly #used: ReadonlySet<Tensor>;

  constructor(graph: Graph, used: ReadonlySet<Tensor>) {
    this.#used = used;
    this.#known = [...graph.inputs, ...graph.parameters.map(({ tensor }) => tensor)];
  }

  emit(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
  ): void {
    this.nodes.push({ op, inputs, outputs, attributes });
  }

  initializer(initializer: OnnxInitializer): void {
    this.initializers.push(initializer);
  }

  node<O extends OpName>(node: Node<O>): void {
    (LOWERING[node.op] as LoweringRule<O>)(this, node);
    this.#known.push(...node.outputs);
  }

  /** Emits one ONNX node of the same name, leaving out outputs that nobody reads. */
  direct(node: Node, attributes: OnnxNode['attributes'] = {}, ...extra: readonly string[]): void {
    const read = node.outputs.map((tensor, index) => (index === 0 || this.#used.has(tensor) ? tensor.name : ''));
    while (read.at(-1) === '') read.pop();
    this.emit(node.op, [...node.inputs.map((tensor) => tensor.name), ...extra], read, attributes);
  }

  /** Name of an int64 vector with these values. */
  integers(values: readonly number[]): string {
    const name = `int64_${values.join('_')}`.replaceAll('-', 'm');
    if (!this.#integers.has(name)) {
      this.initializer({ name, type: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });
      this.#integers.set(name, name);
    }
    return name;
  }

  /** Name of an int64 vector with these sizes, symbolic ones measured on an earlier tensor; `infer` may stay open as -1. */
  dims(shape: readonly Dim[], infer?: Dim): string {
    if (shape.every((dim) => typeof dim === 'number' || dim === infer)) {
      return this.integers(shape.map((dim) => (typeof dim === 'number' ? dim : -1)));
    }
    const parts = shape.map((dim) =>
      typeof dim === 'number' ? this.integers([dim]) : dim === infer ? this.integers([-1]) : this.size(dim),
    );
    if (parts.length === 1) return parts[0] as string;
    const name = `shape_${this.nodes.length}`;
    this.emit('Concat', parts, [name], { axis: int(0) });
    return name;
  }

  /** Name of an int64 vector of one element: the size that `symbol` has in this run. */
  size(symbol: string): string {
    const known = this.#sizes.get(symbol);
    if (known) return known;
    const source = this.#known.find((tensor) => tensor.shape.includes(symbol));
    if (!source) throw new Error(`no earlier tensor has the dimension ${symbol}`);
    this.measured.add(source);
    const axis = source.shape.indexOf(symbol);
    const name = `size_${symbol}`;
    this.emit('Shape', [source.name], [name], { start: int(axis), end: int(axis + 1) });
    this.#sizes.set(symbol, name);
    return name;
  }

  hasSize(symbol: Dim): boolean {
    return typeof symbol === 'number' || this.#known.some((tensor) => tensor.shape.includes(symbol));
  }
}

type LoweringRule<O extends OpName> = (lowering: Lowering, node: Node<O>) => void;

const direct = (lowering: Lowering, node: Node): void => lowering.direct(node);
const result = (node: Node): string => (node.outputs[0] as Tensor).name;

function reduce(lowering: Lowering, node: Node<'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceLogSumExp'>): void {
  const { axes, keepDims } = node.attributes;
  lowering.direct(node as Node, { keepdims: flag(keepDims) }, lowering.integers(axes));
}

function reshape(lowering: Lowering, node: Node<'Reshape'>): void {
  const { shape } = node.attributes;
  // One size may be left to the runtime: prefer one that nothing earlier can tell.
  const infer = shape.find((dim) => !lowering.hasSize(dim)) ?? shape.find((dim) => typeof dim === 'string');
  lowering.direct(node as Node, {}, lowering.dims(shape, infer));
}

const LOWERING: { readonly [O in OpName]: LoweringRule<O> } = {
  Add: direct,
  Sub: direct,
  Mul: direct,
  Div: direct,
  Pow: direct,
  Mod: direct,
  Neg: direct,
  Abs: direct,
  Exp: direct,
  Log: direct,
  Sqrt: direct,
  Sigmoid: direct,
  Tanh: direct,
  Erf: direct,
  Relu: direct,
  Gelu: direct,
  Softplus: direct,
  MatMul: direct,
  Gemm: (lowering, node) => {
    lowering.direct(node as Node, { transA: flag(node.attributes.transA), transB: flag(node.attributes.transB) });
  },
  Softmax: (lowering, node) => lowering.direct(node as Node, { axis: int(node.attributes.axis) }),
  LogSoftmax: (lowering, node) => lowering.direct(node as Node, { axis: int(node.attributes.axis) }),
  LayerNormalization: (lowering, node) => {
    lowering.direct(node as Node, { axis: int(-1), epsilon: { float: node.attributes.epsilon } });
  },
  ReduceSum: reduce,
  ReduceMean: reduce,
  ReduceMax: reduce,
  ReduceLogSumExp: reduce,
  Gather: direct,
  ScatterAdd: (lowering, node) => {
    const [table, indices, updates] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const wide = `${result(node)}_int64`;
    const column = `${result(node)}_indices`;
    lowering.emit('Cast', [indices.name], [wide], { to: int(ONNX_TYPE.int64) });
    lowering.emit('Unsqueeze', [wide, lowering.integers([-1])], [column]);
    lowering.emit('ScatterND', [table.name, column, updates.name], [result(node)], { reduction: { string: 'add' } });
  },
  Concat: (lowering, node) => lowering.direct(node as Node, { axis: int(node.attributes.axis) }),
  Slice: (lowering, node) => {
    const { axis, start, end } = node.attributes as OpAttributes['Slice'];
    lowering.direct(node as Node, {}, lowering.integers([start]), lowering.integers([end]), lowering.integers([axis]));
  },
  Transpose: (lowering, node) => lowering.direct(node as Node, { perm: { ints: node.attributes.perm } }),
  Reshape: reshape,
  Expand: (lowering, node) => lowering.direct(node as Node, {}, lowering.dims(node.attributes.shape)),
  Where: direct,
  Cast: (lowering, node) => lowering.direct(node as Node, { to: int(ONNX_TYPE[node.attributes.to]) }),
  Equal: direct,
  Greater: direct,
  // ConstantOfShape fills with float zeros unless told otherwise.
  Zeros: (lowering, node) => lowering.emit('ConstantOfShape', [lowering.dims(node.attributes.shape)], [result(node)]),
  Iota: (lowering, node) => {
    const size = `${result(node)}_size`;
    const scalar = lowering.integers([]);
    lowering.emit('Reshape', [lowering.dims([node.attributes.size]), scalar], [size]);
    const zero = `${result(node)}_zero`;
    const one = `${result(node)}_one`;
    lowering.initializer({ name: zero, type: 'int64', shape: [], data: BigInt64Array.of(0n) });
    lowering.initializer({ name: one, type: 'int64', shape: [], data: BigInt64Array.of(1n) });
    lowering.emit('Range', [zero, size, one], [result(node)]);
  },
};
