import type { OnnxInitializer, OnnxModel, OnnxNode } from './onnx.ts';

export interface QuantizeOptions {
  /** Largest absolute int8 weight. 127 uses all bits; 63 cannot overflow the 16-bit sums of CPUs without VNNI. */
  readonly range: 63 | 127;
  /** Tables with fewer rows, and products with fewer inputs or outputs than this, stay float. */
  readonly minSize: number;
}

/**
 * Weights to int8, activations quantised while the model runs. A product x·W becomes DynamicQuantizeLinear,
 * MatMulInteger and a rescaling by (scale of x · scale of W's column), which onnxruntime fuses; a looked-up table keeps
 * one scale per row. Only standard ONNX operators are written.
 */
export function quantizeDynamic(model: OnnxModel, { range, minSize }: QuantizeOptions): OnnxModel {
  const weights = new Map(model.initializers.map((initializer) => [initializer.name, initializer]));
  const added = new Map<string, OnnxInitializer>();
  const replaced = new Set<string>();
  const quantizedInputs = new Set<string>();
  const nodes: OnnxNode[] = [];

  for (const node of model.nodes) {
    const weight = weights.get(node.inputs[node.op === 'Gather' ? 0 : 1] ?? '');
    if (weight?.type !== 'float32' || weight.shape.length !== 2 || Math.min(...weight.shape) < minSize) {
      nodes.push(node);
    } else if (node.op === 'Gather' && weight.shape[0]! >= 1_000) {
      quantizeRows(weight, range, added);
      replaced.add(weight.name);
      nodes.push(...gatherNodes(node, weight.name));
    } else if (node.op === 'Gemm' && !isSet(node, 'transA') && !isSet(node, 'transB')) {
      quantizeColumns(weight, range, added);
      replaced.add(weight.name);
      nodes.push(...gemmNodes(node, weight.name, quantizedInputs));
    } else {
      nodes.push(node);
    }
  }
  const stillRead = new Set(nodes.flatMap(({ inputs }) => inputs));
  const kept = model.initializers.filter(({ name }) => !replaced.has(name) || stillRead.has(name));
  return { ...model, nodes, initializers: [...kept, ...added.values()] };
}

function isSet(node: OnnxNode, attribute: string): boolean {
  const value = node.attributes?.[attribute];
  return value !== undefined && 'int' in value && value.int !== 0;
}

function gatherNodes(node: OnnxNode, table: string): readonly OnnxNode[] {
  const [, indices] = node.inputs as readonly [string, string];
  const [out] = node.outputs as readonly [string];
  return [
    { op: 'Gather', inputs: [`${table}:int8`, indices], outputs: [`${out}:int8`] },
    { op: 'Gather', inputs: [`${table}:scale`, indices], outputs: [`${out}:scale`] },
    { op: 'Cast', inputs: [`${out}:int8`], outputs: [`${out}:cast`], attributes: { to: { int: 1 } } },
    { op: 'Mul', inputs: [`${out}:cast`, `${out}:scale`], outputs: [out] },
  ];
}

function gemmNodes(node: OnnxNode, weight: string, quantizedInputs: Set<string>): readonly OnnxNode[] {
  const [x, , bias] = node.inputs as readonly [string, string, string | undefined];
  const [out] = node.outputs as readonly [string];
  const nodes: OnnxNode[] = [];
  if (!quantizedInputs.has(x)) {
    quantizedInputs.add(x);
    nodes.push({ op: 'DynamicQuantizeLinear', inputs: [x], outputs: [`${x}:uint8`, `${x}:uint8_scale`, `${x}:zero`] });
  }
  const product = bias === undefined ? out : `${out}:product`;
  nodes.push(
    { op: 'MatMulInteger', inputs: [`${x}:uint8`, `${weight}:int8`, `${x}:zero`], outputs: [`${out}:int32`] },
    { op: 'Cast', inputs: [`${out}:int32`], outputs: [`${out}:cast`], attributes: { to: { int: 1 } } },
    { op: 'Mul', inputs: [`${x}:uint8_scale`, `${weight}:scale`], outputs: [`${out}:scale`] },
    { op: 'Mul', inputs: [`${out}:cast`, `${out}:scale`], outputs: [product] },
  );
  if (bias !== undefined) nodes.push({ op: 'Add', inputs: [product, bias], outputs: [out] });
  return nodes;
}

/** [R, D]: int8 values and one scale per row [R, 1]. */
function quantizeRows(table: OnnxInitializer, range: number, added: Map<string, OnnxInitializer>): void {
  const [rows, width] = table.shape as readonly [number, number];
  quantize(table, range, added, [rows, 1], (i) => Math.floor(i / width));
}

/** [K, N]: int8 values and one scale per column [N]. */
function quantizeColumns(weight: OnnxInitializer, range: number, added: Map<string, OnnxInitializer>): void {
  const [, columns] = weight.shape as readonly [number, number];
  quantize(weight, range, added, [columns], (i) => i % columns);
}

function quantize(
  { name, shape, data }: OnnxInitializer,
  range: number,
  added: Map<string, OnnxInitializer>,
  scaleShape: readonly number[],
  groupOf: (index: number) => number,
): void {
  if (added.has(`${name}:int8`)) return;
  const values = data as Float32Array;
  const scales = new Float32Array(scaleShape.reduce((n, dim) => n * dim, 1));
  for (let i = 0; i < values.length; i++) {
    const group = groupOf(i);
    scales[group] = Math.max(scales[group]!, Math.abs(values[i]!) / range);
  }
  const quantized = new Int8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const scale = scales[groupOf(i)]!;
    quantized[i] = scale === 0 ? 0 : Math.round(values[i]! / scale);
  }
  added.set(`${name}:int8`, { name: `${name}:int8`, type: 'int8', shape, data: quantized });
  added.set(`${name}:scale`, { name: `${name}:scale`, type: 'float32', shape: scaleShape, data: scales });
}
