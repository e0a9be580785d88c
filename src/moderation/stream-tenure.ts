import { createRegistry } from '../checkpoint/registry.ts';
import { type ClassifierDependencies, createClassifier } from './classify.ts';
import type { Classifier } from './contract.ts';
import { countingTokens, type TokenCounter } from './token-counter.ts';

/** What one stream is cut and judged with, from its first window to its last. */
export interface StreamTenure {
  readonly classifier: Classifier;
  readonly counter: TokenCounter;
  /** The stream is over. What it held ends with the last window that is still being judged. */
  release(): void;
}

/**
 * Leases the checkpoint that serves now, for as long as a stream lasts: whatever is swapped meanwhile, its windows are
 * counted, scored and decided by one. Throws `not_ready` without a checkpoint, `shutting_down` after the end.
 */
export function holdCheckpoint({ registry, ...others }: ClassifierDependencies): StreamTenure {
  const { checkpoint, release } = registry.lease();
  const held = createRegistry({ ...checkpoint, close: async () => release() });
  return {
    classifier: createClassifier({ registry: held, ...others }),
    counter: countingTokens(checkpoint),
    release: () => void held.close(),
  };
}
