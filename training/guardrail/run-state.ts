import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import type { OptimizerState } from '../optimizers/optimizer.ts';
import type { TrainerState } from './trainer.ts';

/**
 * A training state on disk: a JSON header with the lengths, the raw float32 arrays, and a SHA-256 of it all. Replaced by
 * rename after a flush, so that a kill at any moment leaves the state of before.
 */

interface Header {
  readonly format: 1;
  /** Hash of configuration and data: a state never continues another run. */
  readonly fingerprint: string;
  readonly step: number;
  readonly optimizerSteps: readonly [number, number];
  readonly lengths: readonly number[];
}

export class RunStateError extends Error {
  override readonly name = 'RunStateError';
}

export function saveRunState(path: string, fingerprint: string, state: TrainerState): void {
  const arrays = arraysOf(state);
  const header: Header = {
    format: 1,
    fingerprint,
    step: state.step,
    optimizerSteps: [state.parameterOptimizer.step, state.tableOptimizer.step],
    lengths: arrays.map((array) => array.length),
  };
  const head = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(head.length);
  const beside = `${path}.next`;
  const file = openSync(beside, 'w');
  try {
    const parts = [size, head, ...arrays.map((a) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength))];
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    for (const part of [...parts, hash.digest()]) {
      for (let written = 0; written < part.length; ) written += writeSync(file, part, written);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
}

/**
 * Undefined when there is none. Throws `RunStateError` for a damaged file or another run's; without a fingerprint any
 * run's will do.
 */
export function loadRunState(path: string, fingerprint?: string): TrainerState | undefined {
  if (!existsSync(path)) return undefined;
  const file = readFileSync(path);
  const headLength = file.length >= 4 ? file.readUInt32LE(0) : 0;
  const header = parseHeader(path, file.subarray(4, 4 + headLength).toString());
  if (fingerprint !== undefined && header.fingerprint !== fingerprint) {
    throw new RunStateError(`${path} belongs to a run with other settings or data; choose another run directory`);
  }
  let offset = 4 + headLength;
  const arrays = header.lengths.map((length) => {
    const array = new Float32Array(length);
    const bytes = file.subarray(offset, offset + length * 4);
    if (bytes.length !== length * 4) throw new RunStateError(`${path} is cut short`);
    new Uint8Array(array.buffer).set(bytes);
    offset += length * 4;
    return array;
  });
  if (!createHash('sha256').update(file.subarray(0, offset)).digest().equals(file.subarray(offset))) {
    throw new RunStateError(`${path} is damaged`);
  }
  const [parameters, mean, variance, table, tableMean, tableVariance] = arrays as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return {
    step: header.step,
    parameters,
    parameterOptimizer: optimizerState(mean, variance, header.optimizerSteps[0]),
    table,
    tableOptimizer: optimizerState(tableMean, tableVariance, header.optimizerSteps[1]),
  };
}

function arraysOf(state: TrainerState): readonly Float32Array[] {
  const { parameters, parameterOptimizer, table, tableOptimizer } = state;
  return [parameters, ...momentsOf(parameterOptimizer), table, ...momentsOf(tableOptimizer)];
}

/** Accelerated SGD has one array, whose place is the first; its second is empty. */
function momentsOf(state: OptimizerState): readonly [Float32Array, Float32Array] {
  return 'offset' in state ? [state.offset, new Float32Array(0)] : [state.mean, state.variance];
}

function optimizerState(first: Float32Array, second: Float32Array, step: number): OptimizerState {
  return second.length < first.length ? { offset: first, step } : { mean: first, variance: second, step };
}

function parseHeader(path: string, text: string): Header {
  try {
    const header = JSON.parse(text) as Header;
    if (header.format === 1 && header.lengths.length === 6) return header;
  } catch {
    // Falls through to the error below.
  }
  throw new RunStateError(`${path} is not a training state`);
}
