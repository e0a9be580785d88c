import type { Engine } from '../inference/engine.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { LongTexts } from './long-texts.ts';
import type { Manifest } from './manifest.ts';

/** A verified checkpoint that is ready to score: everything that belongs together, under one reference. */
export interface Checkpoint {
  readonly id: string;
  readonly manifest: Manifest;
  readonly modelSha256: string;
  readonly tokenizer: TextTokenizer;
  readonly engine: Engine;
  /** Left out: long texts are prepared where all others are. */
  readonly longTexts?: LongTexts | undefined;
  /** Finishes what was accepted and ends the workers. */
  close(): Promise<void>;
}

/** Holds a checkpoint open. Whatever is swapped meanwhile, a request sees one tokenizer, one model, one set of thresholds. */
export interface Lease {
  readonly checkpoint: Checkpoint;
  /** Further calls do nothing. */
  release(): void;
}
