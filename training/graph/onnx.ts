import protobuf from 'protobufjs';

/** The part of ONNX that this project writes, as plain values, and its encoding. */

/** Operator set every model is written against: the first with Gelu is 20; onnxruntime 1.30 reads up to 24. */
const OPSET = 21;
/** ONNX file format that opset 21 belongs to. */
const IR_VERSION = 10;

export type OnnxType = 'float32' | 'uint8' | 'int8' | 'int32' | 'int64' | 'bool';

const ELEMENT_TYPE: Record<OnnxType, number> = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 };

export type OnnxAttribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  /** Symbolic dimensions by name. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxInitializer {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  /** Little-endian values. */
  readonly data: ArrayBufferView;
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

// Field numbers of onnx.proto (github.com/onnx/onnx); only what is written.
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message ModelProto { int64 ir_version = 1; string producer_name = 2; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto { repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5; repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
  message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated AttributeProto attribute = 5; }
  message AttributeProto { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated int64 ints = 8; int32 type = 20; }
  message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto { Tensor tensor_type = 1; message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; } }
  message TensorShapeProto { repeated Dimension dim = 1; message Dimension { int64 dim_value = 1; string dim_param = 2; } }
`,
  { keepCase: true },
);
const ModelProto = root.lookupType('ModelProto');

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

function attribute(name: string, value: OnnxAttribute): object {
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  if ('int' in value) return { name, type: ATTRIBUTE_TYPE.int, i: value.int };
  if ('ints' in value) return { name, type: ATTRIBUTE_TYPE.ints, ints: value.ints };
  return { name, type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value.string) };
}

function valueInfo({ name, type, shape }: OnnxValue): object {
  const dim = shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: ELEMENT_TYPE[type], shape: { dim } } } };
}

/** Bytes of an `.onnx` file. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const node = model.nodes.map(({ op, inputs, outputs, attributes = {} }) => ({
    name: outputs.find((output) => output !== ''),
    op_type: op,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  }));
  const initializer = model.initializers.map(({ name, type, shape, data }) => ({
    name,
    data_type: ELEMENT_TYPE[type],
    dims: shape,
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  }));
  const graph = {
    name: 'duoguard',
    node,
    initializer,
    input: model.inputs.map(valueInfo),
    output: model.outputs.map(valueInfo),
  };
  const message = {
    ir_version: IR_VERSION,
    producer_name: 'duoguard',
    graph,
    opset_import: [{ domain: '', version: OPSET }],
  };
  return ModelProto.encode(message).finish();
}
