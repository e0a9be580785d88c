import { DuoguardError } from '../errors.ts';
import type { EngineOptions } from '../inference/pool.ts';
import { createEngine } from '../inference/pool.ts';
import { normalize } from '../text/normalize.ts';
import { checkCanaries } from './canaries.ts';
import type { Checkpoint } from './checkpoint.ts';
import { encodeWindows, windowCapacity } from './encode.ts';
import type { EncoderFiles, LongTexts } from './long-texts.ts';
import { prepareFiles } from './prepare.ts';
import { readManifest } from './read-manifest.ts';

/** How a checkpoint is run; everything that the checkpoint itself says is left out. */
export interface LoadOptions extends Omit<EngineOptions, 'model' | 'maxSequenceTokens' | 'padId'> {
  /** Another checkpoint serves meanwhile: verifying this one takes what the requests leave. */
  readonly background?: boolean;
  /** Ends with the checkpoint. Left out: long texts are prepared where all others are. */
  readonly longTexts?: (files: EncoderFiles) => LongTexts;
}

/**
 * Verifies a checkpoint directory and starts it in fresh worker threads. What it resolves with has reproduced its
 * canaries. Each thing that can be wrong has its own `checkpoint_*` error; nothing of a refused checkpoint stays behind.
 */
export async function loadCheckpoint(directory: string, options: LoadOptions): Promise<Checkpoint> {
  const manifest = await readManifest(directory);
  const { model, tokenizer, tokenizerFile } = await prepareFiles(directory, manifest, options.background);
  if (windowCapacity(manifest, tokenizer) < 1) {
    throw new DuoguardError('checkpoint_tokenizer_invalid', {
      message: `max_tokens ${manifest.max_tokens} leaves no room for text beside the special tokens of ${manifest.tokenizer}.`,
    });
  }
  const engine = await createEngine({
    ...options,
    model,
    maxSequenceTokens: manifest.max_tokens,
    padId: tokenizer.padId,
  });
  const longTexts = options.longTexts?.({ tokenizer: tokenizerFile, maxTokens: manifest.max_tokens });
  const checkpoint: Checkpoint = {
    id: manifest.id,
    manifest,
    modelSha256: manifest.files[manifest.model]?.sha256 as string,
    tokenizer,
    engine,
    longTexts,
    close: async () => void (await Promise.all([engine.close(), longTexts?.close()])),
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
