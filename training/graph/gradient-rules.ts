import type { OpName } from './op-table.ts';
import {
  add,
  cast,
  div,
  equal,
  exp,
  expand,
  gather,
  gemm,
  greater,
  log,
  matmul,
  mul,
  neg,
  pow,
  reduceMean,
  reduceSum,
  reshape,
  scatterAdd,
  sigmoid,
  slice,
  sub,
  sumTo,
  transpose,
  transposeMatrix,
  where,
  zeros,
} from './ops.ts';
import { type Dim, type Node, type Shape, type Tensor, toAxis } from './tensor.ts';

/**
 * One gradient per operand (undefined: none flows there). `dy` is the gradient of the first output; later outputs
 * (LayerNormalization's statistics) are for other rules to read and carry no gradient themselves.
 */
type GradientRule<O extends OpName> = (node: Node<O>, dy: Tensor) => readonly (Tensor | undefined)[];

function operands(node: Node): readonly [Tensor, Tensor, Tensor] {
  return node.inputs as unknown as readonly [Tensor, Tensor, Tensor];
}

const output = (node: Node): Tensor => node.outputs[0] as Tensor;

/** The shape a reduction would have had with its axes kept at size 1. */
function keptShape(x: Tensor, axes: readonly number[]): Shape {
  const reduced = new Set(axes.map((axis) => toAxis(axis, x.shape.length)));
  return x.shape.map((dim, axis) => (reduced.has(axis) ? 1 : dim));
}

function reducedSize(x: Tensor, axes: readonly number[]): number {
  return axes.reduce((n, axis) => n * (x.shape[toAxis(axis, x.shape.length)] as number), 1);
}

const constantRule = (): readonly undefined[] => [];

/** Every operator has its rule, the formula above it; a missing one does not compile. */
export const GRADIENT_RULES: { readonly [O in OpName]: GradientRule<O> } = {
  // y = a + b: da = dy, db = dy, each summed over broadcast axes
  Add: (node, dy) => {
    const [a, b] = operands(node);
    return [sumTo(dy, a.shape), sumTo(dy, b.shape)];
  },
  // y = a - b: da = dy, db = -dy
  Sub: (node, dy) => {
    const [a, b] = operands(node);
    return [sumTo(dy, a.shape), sumTo(neg(dy), b.shape)];
  },
  // y = a b: da = dy b, db = dy a
  Mul: (node, dy) => {
    const [a, b] = operands(node);
    return [sumTo(mul(dy, b), a.shape), sumTo(mul(dy, a), b.shape)];
  },
  // y = a / b: da = dy / b, db = -dy y / b
  Div: (node, dy) => {
    const [a, b] = operands(node);
    const da = div(dy, b);
    return [sumTo(da, a.shape), sumTo(neg(mul(da, output(node))), b.shape)];
  },
  // y = aᵇ: da = dy b aᵇ⁻¹, db = dy y ln a (a > 0)
  Pow: (node, dy) => {
    const [a, b] = operands(node);
    return [sumTo(mul(dy, mul(b, pow(a, sub(b, 1)))), a.shape), sumTo(mul(dy, mul(output(node), log(a))), b.shape)];
  },
  Mod: constantRule,
  // y = -x: dx = -dy
  Neg: (_, dy) => [neg(dy)],
  // y = |x|: dx = dy sign(x)
  Abs: (node, dy) => [where(greater(operands(node)[0], 0), dy, neg(dy))],
  // y = eˣ: dx = dy y
  Exp: (node, dy) => [mul(dy, output(node))],
  // y = ln x: dx = dy / x
  Log: (node, dy) => [div(dy, operands(node)[0])],
  // y = √x: dx = dy / 2y
  Sqrt: (node, dy) => [div(mul(dy, 0.5), output(node))],
  // y = σ(x): dx = dy y (1 - y)
  Sigmoid: (node, dy) => [mul(dy, mul(output(node), sub(1, output(node))))],
  // y = tanh x: dx = dy (1 - y²)
  Tanh: (node, dy) => [mul(dy, sub(1, mul(output(node), output(node))))],
  // y = erf x: dx = dy 2/√π e^(-x²)
  Erf: (node, dy) => {
    const [x] = operands(node);
    return [mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))];
  },
  // y = max(x, 0): dx = dy where x > 0
  Relu: (node, dy) => [where(greater(output(node), 0), dy, 0)],
  // y = x Φ(x): dx = dy (Φ(x) + x φ(x)), φ the standard normal density, Φ its distribution
  Gelu: (node, dy) => {
    const [x] = operands(node);
    // Φ(x) = y / x loses precision near 0, so it is computed anew from erf.
    const [erfOfScaled] = x.graph.apply('Erf', [mul(x, Math.SQRT1_2)], {}) as [Tensor];
    const distribution = add(mul(erfOfScaled, 0.5), 0.5);
    const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(dy, add(distribution, mul(x, density)))];
  },
  // y = ln(1 + eˣ): dx = dy σ(x)
  Softplus: (node, dy) => [mul(dy, sigmoid(operands(node)[0]))],
  // Y = A B: dA = dY Bᵀ, dB = Aᵀ dY, summed over broadcast batch axes
  MatMul: (node, dy) => {
    const [a, b] = operands(node);
    return [sumTo(matmul(dy, transposeMatrix(b)), a.shape), sumTo(matmul(transposeMatrix(a), dy), b.shape)];
  },
  // Y = A B + C with A or B transposed: the products below, each chosen so that no operand is copied; dC = dY summed
  Gemm: (node, dy) => {
    const [a, b] = operands(node);
    const c = node.inputs[2];
    const { transA, transB } = node.attributes;
    const da = transA ? gemm(b, dy, undefined, transB, true) : gemm(dy, b, undefined, false, !transB);
    const db = transB ? gemm(dy, a, undefined, true, transA) : gemm(a, dy, undefined, !transA, false);
    return [da, db, c && sumTo(dy, c.shape)];
  },
  // y = softmax(x): dx = (dy - Σ dy y) y
  Softmax: (node, dy) => {
    const y = output(node);
    return [mul(sub(dy, reduceSum(mul(dy, y), [node.attributes.axis], true)), y)];
  },
  // y = x - ln Σ eˣ: dx = dy - eʸ Σ dy
  LogSoftmax: (node, dy) => [sub(dy, mul(exp(output(node)), reduceSum(dy, [node.attributes.axis], true)))],
  // x̂ = (x - μ) r, y = x̂ γ + β: with g = dy γ, dx = r (g - mean(g) - x̂ mean(g x̂)); dγ = Σ dy x̂; dβ = Σ dy
  LayerNormalization: (node, dy) => {
    const [x, scale, bias] = operands(node);
    const [, mean, inverse] = node.outputs as readonly [Tensor, Tensor, Tensor];
    const normalised = mul(sub(x, mean), inverse);
    const g = mul(dy, scale);
    const centred = sub(g, add(reduceMean(g, [-1], true), mul(normalised, reduceMean(mul(g, normalised), [-1], true))));
    return [mul(centred, inverse), sumTo(mul(dy, normalised), scale.shape), sumTo(dy, bias.shape)];
  },
  // y = Σ x: dx = dy spread over the summed axes
  ReduceSum: (node, dy) => {
    const [x] = operands(node);
    return [expand(reshape(dy, keptShape(x, node.attributes.axes)), x.shape)];
  },
  // y = Σ x / n: dx = dy / n spread
  ReduceMean: (node, dy) => {
    const [x] = operands(node);
    const share = mul(reshape(dy, keptShape(x, node.attributes.axes)), 1 / reducedSize(x, node.attributes.axes));
    return [expand(share, x.shape)];
  },
  // y = max x: dx = dy where x is the maximum, shared equally among ties
  ReduceMax: (node, dy) => {
    const [x] = operands(node);
    const kept = keptShape(x, node.attributes.axes);
    const isMax = cast(equal(x, reshape(output(node), kept)), 'float32');
    return [mul(isMax, div(reshape(dy, kept), reduceSum(isMax, node.attributes.axes, true)))];
  },
  // y = ln Σ eˣ: dx = dy e^(x - y)
  ReduceLogSumExp: (node, dy) => {
    const [x] = operands(node);
    const kept = keptShape(x, node.attributes.axes);
    return [mul(reshape(dy, kept), exp(sub(x, reshape(output(node), kept))))];
  },
  // y = table[i]: dtable = Σ dy over the positions that read each row
  Gather: (node, dy) => {
    const [table, indices] = operands(node);
    return [scatterAdd(zeros(table.graph, table.shape), indices, dy)];
  },
  // y = table, y[i] += u: dtable = dy, du = dy[i]
  ScatterAdd: (node, dy) => [dy, undefined, gather(dy, operands(node)[1])],
  // y = [a; b; ...]: each part takes its slice of dy
  Concat: (node, dy) => {
    let start = 0;
    const axis = toAxis(node.attributes.axis, dy.shape.length);
    return node.inputs.map((tensor) => {
      const from = start;
      start += tensor.shape[axis] as number;
      return slice(dy, axis, from, start);
    });
  },
  // y = x[start:end]: dx = dy with zeros around it
  Slice: (node, dy) => {
    const [x] = operands(node);
    const { axis, start, end } = node.attributes;
    const size = x.shape[axis] as number;
    const padding = (length: number): readonly Tensor[] =>
      length > 0
        ? [
            zeros(
              x.graph,
              x.shape.map((dim, i): Dim => (i === axis ? length : dim)),
            ),
          ]
        : [];
    const parts = [...padding(start), dy, ...padding(size - end)];
    return [parts.length === 1 ? dy : (x.graph.apply('Concat', parts, { axis })[0] as Tensor)];
  },
  // y = xᵖ: dx = dy permuted back
  Transpose: (node, dy) => {
    const inverse = new Array<number>(node.attributes.perm.length);
    for (const [to, from] of node.attributes.perm.entries()) inverse[from] = to;
    return [transpose(dy, inverse)];
  },
  Reshape: (node, dy) => [reshape(dy, operands(node)[0].shape)],
  // y = x repeated: dx = dy summed over the repeats
  Expand: (node, dy) => [sumTo(dy, operands(node)[0].shape)],
  // y = c ? a : b: da = c ? dy : 0, db = c ? 0 : dy
  Where: (node, dy) => {
    const [condition, a, b] = operands(node);
    const none = dy.graph.constant(0);
    return [
      undefined,
      sumTo(where(condition, dy, 0), a.shape),
      sumTo(dy.graph.apply('Where', [condition, none, dy], {})[0] as Tensor, b.shape),
    ];
  },
  // Only float to float would carry a gradient, and there is one float type.
  Cast: constantRule,
  Equal: constantRule,
  Greater: constantRule,
  Zeros: constantRule,
  Iota: constantRule,
};
