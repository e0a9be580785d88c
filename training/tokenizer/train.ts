import { learnMerges } from './bpe.ts';
import { type TokenizerJson, tokenizerJson } from './template.ts';
import { countWords } from './words.ts';

export interface TrainTokenizerOptions {
  /** Special tokens, the 256 bytes and the merges together; at most 65,536. */
  readonly vocabSize: number;
  /** Default 2. */
  readonly minPairCount?: number;
  /** Different pieces kept while counting. Default 2 million, about 600 MB. */
  readonly maxWords?: number;
  readonly onProgress?: (merges: number) => void;
}

/** Learns a byte-level BPE tokenizer. Raw texts are expected: they are normalised here as the server does. */
export function trainTokenizer(texts: Iterable<string>, options: TrainTokenizerOptions): TokenizerJson {
  const words = countWords(texts, options.maxWords ?? 2_000_000);
  return tokenizerJson(learnMerges(words, { ...options, minPairCount: options.minPairCount ?? 2 }));
}
