import { encodeWindows } from '../../src/checkpoint/encode.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { normalize } from '../../src/text/normalize.ts';
import type { TextTokenizer } from '../../src/text/tokenizer.ts';
import { mergeWindows } from '../../src/text/windows.ts';
import { GraphSession } from '../graph/session.ts';
import type { GuardrailConfig } from '../guardrail/config.ts';
import { CorpusBuilder } from '../guardrail/corpus.ts';
import { scoreRows } from '../guardrail/score.ts';
import { floatServingModel } from '../guardrail/serving-model.ts';
import type { CategoryJudgement } from './contract.ts';

/** A trained guardrail, ready to judge texts in this process. */
export interface Judge {
  judge(
    texts: readonly string[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<readonly CategoryJudgement[]>;
  release(): Promise<void>;
}

/** Judges as the server does, windows included, but with the float model: int8 would round by neighbours in a batch. */
export async function createJudge(
  config: GuardrailConfig,
  tokenizer: TextTokenizer,
  parameters: ReadonlyMap<string, Float32Array>,
  thresholds: readonly number[],
): Promise<Judge> {
  const session = await GraphSession.create(floatServingModel([{ encoder: config.encoder, parameters }]), {
    threads: config.threads,
  });
  const served = { manifest: { max_tokens: config.encoder.maxTokens }, tokenizer };
  return {
    async judge(texts, onProgress = () => {}) {
      const builder = new CorpusBuilder();
      const windowsOf = texts.map((text) => {
        const windows = encodeWindows(served, tokenizer.encode(normalize(text).text));
        for (const ids of windows) {
          builder.add({ ids, unsafe: false, categories: [], source: 'game', lang: 'und' });
        }
        return windows.length;
      });
      const total = windowsOf.reduce((sum, count) => sum + count, 0);
      const probabilities = await scoreRows(session, builder.build(), (done) => onProgress(done, total));
      let window = 0;
      return windowsOf.map((count) => {
        const rows = Array.from({ length: count }, () =>
          probabilities.subarray(window * CATEGORIES.length, ++window * CATEGORIES.length),
        );
        const merged = mergeWindows(rows);
        const categories = CATEGORIES.filter((_, category) => merged[category]! >= thresholds[category]!);
        return { score: Math.max(...merged), flagged: categories.length > 0, categories };
      });
    },
    release: () => session.release(),
  };
}
