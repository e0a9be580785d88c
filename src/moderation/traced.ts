import type { Classifier } from './contract.ts';

/** Tells the trace of each request what was judged. Only where there are traces: otherwise it would cost a promise. */
export function traceStages(classifier: Classifier): Classifier {
  return {
    async classify(request) {
      const began = performance.now();
      const verdict = await classifier.classify(request);
      request.trace?.judged(began, verdict);
      return verdict;
    },
  };
}
