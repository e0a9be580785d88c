import { CATEGORIES } from '../../src/taxonomy.ts';
import type { OnnxModel } from '../graph/onnx.ts';
import { GraphSession, toTensor } from '../graph/session.ts';
import { paddedLength } from './batches.ts';
import { type Corpus, rowLength } from './corpus.ts';

/** Probabilities [rows, 12] of a serving model for every row of a corpus. */
export async function scoreCorpus(model: OnnxModel, corpus: Corpus, threads: number): Promise<Float32Array> {
  const session = await GraphSession.create(model, { threads });
  const result = await scoreRows(session, corpus);
  await session.release();
  return result;
}

/** As `scoreCorpus`, with a session of a serving model that is kept. Rows of like length are run together. */
export async function scoreRows(
  session: GraphSession,
  corpus: Corpus,
  onProgress: (rows: number) => void = () => {},
): Promise<Float32Array> {
  const rows = corpus.unsafe.length;
  const result = new Float32Array(rows * CATEGORIES.length);
  const order = Int32Array.from({ length: rows }, (_, row) => row).sort(
    (a, b) => rowLength(corpus, a) - rowLength(corpus, b),
  );
  const size = 64;
  for (let start = 0; start < rows; start += size) {
    const batch = order.subarray(start, start + size);
    const length = paddedLength(rowLength(corpus, batch[batch.length - 1]!));
    const ids = new Int32Array(batch.length * length);
    const mask = new Int32Array(batch.length * length);
    for (const [b, row] of batch.entries()) {
      ids.set(corpus.ids.subarray(corpus.offsets[row]!, corpus.offsets[row + 1]!), b * length);
      mask.fill(1, b * length, b * length + rowLength(corpus, row));
    }
    const shape = [batch.length, length];
    const outputs = await session.evaluate({ input_ids: toTensor(ids, shape), attention_mask: toTensor(mask, shape) });
    const logits = outputs['logits']?.data as Float32Array;
    for (const [b, row] of batch.entries()) {
      for (let c = 0; c < CATEGORIES.length; c++) {
        result[row * CATEGORIES.length + c] = 1 / (1 + Math.exp(-logits[b * CATEGORIES.length + c]!));
      }
    }
    onProgress(start + batch.length);
  }
  return result;
}
