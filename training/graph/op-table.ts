import type { Dim, DType } from './tensor.ts';

type None = Record<never, never>;
interface Axes {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/**
 * Every operator of the graph and its attributes. Names and meaning are ONNX's. What ONNX passes as small integer
 * tensors (axes, shapes, slice bounds) is an attribute here; the writer lowers it.
 *
 * Three operators stand for a short ONNX sequence: `Zeros` (ConstantOfShape), `Iota` (Range from 0) and `ScatterAdd`
 * (ScatterND with reduction add along axis 0).
 */
export interface OpAttributes {
  Add: None;
  Sub: None;
  Mul: None;
  Div: None;
  Pow: None;
  Mod: None;
  Neg: None;
  Abs: None;
  Exp: None;
  Log: None;
  Sqrt: None;
  Sigmoid: None;
  Tanh: None;
  Erf: None;
  Relu: None;
  Gelu: None;
  Softplus: None;
  MatMul: None;
  Gemm: { readonly transA: boolean; readonly transB: boolean };
  Softmax: { readonly axis: number };
  LogSoftmax: { readonly axis: number };
  LayerNormalization: { readonly epsilon: number };
  ReduceSum: Axes;
  ReduceMean: Axes;
  ReduceMax: Axes;
  ReduceLogSumExp: Axes;
  Gather: None;
  ScatterAdd: None;
  Concat: { readonly axis: number };
  Slice: { readonly axis: number; readonly start: number; readonly end: number };
  Transpose: { readonly perm: readonly number[] };
  Reshape: { readonly shape: readonly Dim[] };
  Expand: { readonly shape: readonly Dim[] };
  Where: None;
  Cast: { readonly to: DType };
  Equal: None;
  Greater: None;
  Zeros: { readonly shape: readonly Dim[] };
  Iota: { readonly size: Dim };
}

export type OpName = keyof OpAttributes;
