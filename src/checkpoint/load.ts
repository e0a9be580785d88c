import { DuoguardError } from '../errors.ts';
import type { EngineOptions } from '../inference/pool.ts';
import { createEngine } from '../inference/pool.ts';
import { normalize } from '../text/normalize.ts';
import { loadTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { checkCanaries } from './canaries.ts';
import type { Checkpoint } from './checkpoint.ts';
import { encodeWindows, windowCapacity } from './encode.ts';
import type { Manifest } from './manifest.ts';
import { readManifest } from './read-manifest.ts';
import { verifyFiles } from './verify-files.ts';

/** How a checkpoint is run; everything that the checkpoint itself says is left out. */
export type LoadOptions = Omit<EngineOptions, 'model' | 'maxSequenceTokens' | 'padId'>;

/**
 * Verifies a checkpoint directory and starts it in fresh worker threads. What it resolves with has reproduced its
 * canaries. Each thing that can be wrong has its own `checkpoint_*` error; nothing of a refused checkpoint stays behind.
 */
export async function loadCheckpoint(directory: string, options: LoadOptions): Promise<Checkpoint> {
  const manifest = await readManifest(directory);
  const contents = await verifyFiles(directory, manifest.files, [manifest.model, manifest.tokenizer]);
  const tokenizer = parseTokenizer(contents.get(manifest.tokenizer) as SharedArrayBuffer, manifest);
  const engine = await createEngine({
    ...options,
    model: contents.get(manifest.model) as SharedArrayBuffer,
    maxSequenceTokens: manifest.max_tokens,
    padId: tokenizer.padId,
  });
  const checkpoint: Checkpoint = {
    id: manifest.id,
    manifest,
    modelSha256: manifest.files[manifest.model]?.sha256 as string,
    tokenizer,
    engine,
    close: () => engine.close(),
  };
  try {
    const encode = (text: string) => encodeWindows(checkpoint, tokenizer.encode(normalize(text).text));
    await checkCanaries(manifest, encode, engine, options.workers);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return checkpoint;
}

function parseTokenizer(content: SharedArrayBuffer, manifest: Manifest): TextTokenizer {
  try {
    const tokenizer = loadTokenizer(JSON.parse(Buffer.from(content).toString('utf8')));
    if (windowCapacity(manifest, tokenizer) < 1) {
      throw new Error(`max_tokens ${manifest.max_tokens} leaves no room for text beside the special tokens`);
    }
    return tokenizer;
  } catch (error) {
    throw new DuoguardError('checkpoint_tokenizer_invalid', {
      message: `${manifest.tokenizer} cannot be loaded: ${(error as Error).message}`,
      cause: error,
    });
  }
}
