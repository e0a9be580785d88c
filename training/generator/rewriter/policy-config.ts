/** Shape of the policy network; two policies with different shapes can't read each other's files. */
export interface PolicyConfig {
  /** E: width of the embedding of a word, an option or a condition. */
  readonly embedding: number;
  /** H: width of the hidden layer. */
  readonly hidden: number;
  /** Rows that words and their character n-grams share by hashing. */
  readonly buckets: number;
}

export const DEFAULT_POLICY: PolicyConfig = { embedding: 32, hidden: 96, buckets: 22_000 };

/** Rises when features or priors change their meaning, so that an older file is refused instead of misread. */
const FEATURES = 1;

export function policyFingerprint({ embedding, hidden, buckets }: PolicyConfig): string {
  return `rewriter ${FEATURES}: ${embedding} x ${hidden}, ${buckets} buckets`;
}
