import { CATEGORIES, type Category } from '../../src/taxonomy.ts';
import { encodeModel, type OnnxType } from '../../training/graph/onnx.ts';
import { FIRST_BYTE_ID, SPECIAL_TOKENS } from '../../training/tokenizer/template.ts';

/**
 * A classifier small enough to know by heart: the logit of a category is the highest weight among the bytes of the text,
 * `CALM` but for one sign per category, which has `LOUD`. As it is a maximum, windows change nothing.
 */

const SIGNS = '!#$%&*+;<=>@';
const CALM = -4;
const LOUD = 4;
/** Its last UTF-8 byte raises `jailbreak_prompts`; normalisation removes it. */
export const ZERO_WIDTH_SPACE = '\u200b';
/** Makes every score not a number. */
export const NOT_A_NUMBER_SIGN = '~';
export const VOCABULARY = SPECIAL_TOKENS.length + 256;

export function signOf(category: Category): string {
  return SIGNS[CATEGORIES.indexOf(category)] as string;
}

export interface FixtureModelOptions {
  readonly idType?: OnnxType;
  readonly inputNames?: readonly [string, string];
  readonly outputName?: string;
  readonly labels?: number;
  /** Logit of a sign: what tells the scores of one checkpoint from those of another. */
  readonly loud?: number;
}

/** Bytes of model.onnx. */
export function fixtureModel({
  idType = 'int64',
  inputNames = ['input_ids', 'attention_mask'],
  outputName = 'logits',
  labels = CATEGORIES.length,
  loud = LOUD,
}: FixtureModelOptions = {}): Uint8Array {
  const [ids, mask] = inputNames;
  return encodeModel({
    inputs: [
      { name: ids, type: idType, shape: ['batch', 'sequence'] },
      { name: mask, type: idType, shape: ['batch', 'sequence'] },
    ],
    outputs: [{ name: outputName, type: 'float32', shape: ['batch', labels] }],
    initializers: [
      { name: 'weights', type: 'float32', shape: [VOCABULARY, labels], data: weights(labels, loud) },
      { name: 'last', type: 'int64', shape: [1], data: BigInt64Array.of(2n) },
      { name: 'tokens', type: 'int64', shape: [1], data: BigInt64Array.of(1n) },
      { name: 'one', type: 'float32', shape: [], data: Float32Array.of(1) },
      { name: 'far', type: 'float32', shape: [], data: Float32Array.of(100) },
      { name: 'zero', type: 'float32', shape: [], data: Float32Array.of(0) },
    ],
    nodes: [
      { op: 'Gather', inputs: ['weights', ids], outputs: ['each'] },
      { op: 'Cast', inputs: [mask], outputs: ['mask2'], attributes: { to: { int: 1 } } },
      { op: 'Unsqueeze', inputs: ['mask2', 'last'], outputs: ['mask3'] },
      { op: 'Sub', inputs: ['mask3', 'one'], outputs: ['hidden'] },
      { op: 'Mul', inputs: ['hidden', 'far'], outputs: ['below'] },
      { op: 'Add', inputs: ['each', 'below'], outputs: ['visible'] },
      { op: 'ReduceMax', inputs: ['visible', 'tokens'], outputs: ['highest'], attributes: { keepdims: { int: 0 } } },
      { op: 'ReduceSum', inputs: ['each', 'tokens'], outputs: ['sum'], attributes: { keepdims: { int: 0 } } },
      // A maximum may lose NaN; a sum does not.
      { op: 'Mul', inputs: ['sum', 'zero'], outputs: ['nothing'] },
      { op: 'Add', inputs: ['highest', 'nothing'], outputs: [outputName] },
    ],
  });
}

function weights(labels: number, loud: number): Float32Array {
  const table = new Float32Array(VOCABULARY * labels).fill(CALM);
  const set = (byte: number, label: number, value: number) => {
    table[(FIRST_BYTE_ID + byte) * labels + label] = value;
  };
  for (const [label, sign] of [...SIGNS].entries()) if (label < labels) set(sign.charCodeAt(0), label, loud);
  set(0x8b, CATEGORIES.indexOf('jailbreak_prompts'), loud);
  for (let label = 0; label < labels; label++) set(NOT_A_NUMBER_SIGN.charCodeAt(0), label, Number.NaN);
  return table;
}

/** What the model gives for a text, worked out without it. */
export function expectedScores(text: string, loudLogit = LOUD): number[] {
  return CATEGORIES.map((category) => {
    const loud =
      text.includes(signOf(category)) || (category === 'jailbreak_prompts' && text.includes(ZERO_WIDTH_SPACE));
    return 1 / (1 + Math.exp(-(loud ? loudLogit : CALM)));
  });
}
