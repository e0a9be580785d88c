import type { Classifier, ClassifyRequest, ItemVerdict, Verdict } from '../../src/moderation/contract.ts';
import { CATEGORIES, perCategory } from '../../src/taxonomy.ts';

export interface ClassifierDouble extends Classifier {
  /** What the HTTP half asked for, in order. */
  readonly requests: ClassifyRequest[];
}

/** A text flags as hate when it contains the word "hateful"; everything else is calm. */
export function createClassifierDouble(
  judge: (request: ClassifyRequest) => Promise<Verdict> = async (request) => verdictFor(request),
): ClassifierDouble {
  const requests: ClassifyRequest[] = [];
  return {
    requests,
    classify(request) {
      requests.push(request);
      return judge(request);
    },
  };
}

export function verdictFor(request: ClassifyRequest): Verdict {
  const results = request.items.map((item, index): ItemVerdict => {
    const flagged = JSON.stringify(item).includes('hateful');
    const score = (category: string) => (flagged && category === 'hate' ? 0.9 : 0.01);
    return {
      index,
      flagged,
      action: flagged ? 'block' : 'allow',
      score: flagged ? 0.9 : 0.01,
      categories: perCategory((category) => score(category) >= 0.5),
      category_scores: perCategory(score),
      top_category: flagged ? 'hate' : CATEGORIES[0],
      tokens: 7,
      windows: 1,
    };
  });
  return {
    checkpoint: 'double-1',
    results,
    usage: { tokens: 7 * results.length },
    timing_ms: { tokenization: 0.25, queue: 0.5, inference: 2, total: 3 },
  };
}

/** Settles only when the request's signal fires, as queued work does. */
export function waitForAbort(request: ClassifyRequest): Promise<never> {
  return new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => reject(request.signal.reason));
  });
}
