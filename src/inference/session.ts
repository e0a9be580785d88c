import * as ort from 'onnxruntime-node';
import { CATEGORIES } from '../taxonomy.ts';
import type { BatchMemory, WorkerStart } from './protocol.ts';

/** Runs in a worker thread: creating a session and running it block the thread. */

export class UnusableModel extends Error {
  readonly code: 'checkpoint_model_invalid' | 'checkpoint_model_signature';
  constructor(code: UnusableModel['code'], reason: string) {
    super(reason);
    this.code = code;
  }
}

export interface ModelSession {
  /** Scores the batch in `memory` and writes the probabilities there. */
  run(memory: BatchMemory, sequences: number, width: number): Promise<void>;
  release(): Promise<void>;
}

const INPUTS = ['input_ids', 'attention_mask'] as const;
const LABELS = CATEGORIES.length;

/** Throws `UnusableModel`. */
export async function createModelSession(start: WorkerStart): Promise<ModelSession> {
  const session = await openSession(start);
  const [idType, maskType] = checkSignature(session);
  const ids = createInput(idType, start.maxBatchTokens);
  const mask = createInput(maskType, start.maxBatchTokens);
  const logits = new Float32Array(start.maxBatchSequences * LABELS);

  return {
    async run(memory, sequences, width) {
      const size = sequences * width;
      ids.write(memory.ids, size);
      mask.fill((low) => writeMask(low, memory.lengths, sequences, width));
      const output = logits.subarray(0, sequences * LABELS);
      await session.run(
        { input_ids: ids.tensor(sequences, width), attention_mask: mask.tensor(sequences, width) },
        // A preallocated output is honoured by onnxruntime-node: the logits land in `output`.
        { logits: new ort.Tensor('float32', output, [sequences, LABELS]) },
      );
      for (const [index, logit] of output.entries()) memory.probabilities[index] = 1 / (1 + Math.exp(-logit));
    },
    release: () => session.release(),
  };
}

async function openSession(start: WorkerStart): Promise<ort.InferenceSession> {
  // onnxruntime-node 1.30 refuses a SharedArrayBuffer, so each worker has a private copy while it loads.
  const bytes = new Uint8Array(start.model.byteLength);
  bytes.set(new Uint8Array(start.model));
  try {
    return await ort.InferenceSession.create(bytes, {
      executionProviders: [start.provider],
      intraOpNumThreads: start.intraOpThreads,
      interOpNumThreads: 1,
      // Memory patterns are kept per input shape, and nearly every batch has a shape of its own.
      enableMemPattern: false,
      // Failures are thrown as well; the runtime's own log would go to stderr around ours.
      logSeverityLevel: 4,
      extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
    });
  } catch (error) {
    throw new UnusableModel('checkpoint_model_invalid', (error as Error).message);
  }
}

/** Returns the element types of input_ids and attention_mask. */
function checkSignature(session: ort.InferenceSession): [IdType, IdType] {
  const named = new Map(session.inputMetadata.map((input) => [input.name, input]));
  const extra = session.inputNames.filter((name) => !(INPUTS as readonly string[]).includes(name));
  if (extra.length > 0) throw signature(`it also wants the inputs ${extra.join(', ')}`);
  const types = INPUTS.map((name) => {
    const input = named.get(name);
    if (!input?.isTensor) throw signature(`it has no input ${name}`);
    if (input.type !== 'int32' && input.type !== 'int64')
      throw signature(`${name} is ${input.type}, not int32 or int64`);
    if (input.shape.length !== 2 || input.shape.some((size) => typeof size === 'number')) {
      throw signature(`${name} has shape [${input.shape.join(', ')}], not [batch, sequence] with both free`);
    }
    return input.type;
  });
  const logits = session.outputMetadata.find((output) => output.name === 'logits');
  if (!logits?.isTensor) throw signature('it has no output logits');
  if (logits.type !== 'float32') throw signature(`logits is ${logits.type}, not float32`);
  const [batch, labels] = logits.shape;
  if (logits.shape.length !== 2 || typeof batch === 'number' || (typeof labels === 'number' && labels !== LABELS)) {
    throw signature(`logits has shape [${logits.shape.join(', ')}], not [batch, ${LABELS}]`);
  }
  return types as [IdType, IdType];
}

function signature(reason: string): UnusableModel {
  return new UnusableModel('checkpoint_model_signature', reason);
}

type IdType = 'int32' | 'int64';

/** A reused input buffer. Token ids and masks are not negative, so an int64 is its low word beside a zero. */
interface ReusedInput {
  write(values: Int32Array, size: number): void;
  fill(write: (target: (index: number, value: number) => void) => void): void;
  tensor(sequences: number, width: number): ort.Tensor;
}

function createInput(type: IdType, capacity: number): ReusedInput {
  const step = type === 'int64' ? 2 : 1;
  const words = new Int32Array(capacity * step);
  const typed = type === 'int64' ? new BigInt64Array(words.buffer) : words;
  const set = (index: number, value: number) => {
    words[index * step] = value;
  };
  return {
    write(values, size) {
      for (let index = 0; index < size; index++) set(index, values[index] as number);
    },
    fill: (write) => write(set),
    tensor: (sequences, width) => new ort.Tensor(type, typed.subarray(0, sequences * width), [sequences, width]),
  };
}

function writeMask(
  set: (index: number, value: number) => void,
  lengths: Int32Array,
  sequences: number,
  width: number,
): void {
  for (let row = 0; row < sequences; row++) {
    const length = lengths[row] as number;
    for (let column = 0; column < width; column++) set(row * width + column, column < length ? 1 : 0);
  }
}
