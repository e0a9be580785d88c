import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { type LoadOptions, loadCheckpoint } from '../../src/checkpoint/load.ts';
import { readManifest } from '../../src/checkpoint/read-manifest.ts';
import { verifyFiles } from '../../src/checkpoint/verify-files.ts';
import { createEngine } from '../../src/inference/pool.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';

/** Nothing is refused here: what waits is bounded by the requests in flight. */
const UNBOUNDED = { maxSequences: 1_000_000, maxTokens: 1_000_000_000 };

/** Starts a checkpoint for measuring, on `workers` threads. `float` takes `model_float` instead of the served model. */
export async function startForEvaluation(directory: string, workers: number, float: boolean): Promise<Checkpoint> {
  const options: LoadOptions = {
    provider: 'cpu',
    workers,
    intraOpThreads: 1,
    maxBatchTokens: 16_384,
    maxBatchSequences: 32,
    queue: UNBOUNDED,
  };
  return float ? loadFloat(directory, options) : loadCheckpoint(directory, options);
}

/** As `loadCheckpoint`, but without the canaries, whose scores are the served model's. */
async function loadFloat(directory: string, options: LoadOptions): Promise<Checkpoint> {
  const manifest = await readManifest(directory);
  const model = manifest.model_float;
  const file = model === undefined ? undefined : manifest.files[model];
  if (model === undefined || file === undefined) throw new Error(`checkpoint ${manifest.id} keeps no float model`);
  const contents = await verifyFiles(directory, manifest.files, [model, manifest.tokenizer]);
  const text = Buffer.from(contents.get(manifest.tokenizer) as SharedArrayBuffer).toString('utf8');
  const tokenizer = loadTokenizer(JSON.parse(text));
  const engine = await createEngine({
    ...options,
    model: contents.get(model) as SharedArrayBuffer,
    maxSequenceTokens: manifest.max_tokens,
    padId: tokenizer.padId,
  });
  return { id: manifest.id, manifest, modelSha256: file.sha256, tokenizer, engine, close: () => engine.close() };
}
