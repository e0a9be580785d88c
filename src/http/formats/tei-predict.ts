import { z } from 'zod';
import type { DuoguardError } from '../../errors.ts';
import type { ClassifyItem, ItemVerdict } from '../../moderation/contract.ts';
import { CATEGORIES } from '../../taxonomy.ts';
import { parseWith, wellFormed } from '../classify-request.ts';
import { errorHeaders, type ToErrorAnswer } from '../error-answer.ts';
import { invalidField, tooManyItems } from '../invalid-field.ts';
import { createJudgingHandler, verdictHeaders } from '../judging.ts';
import { type Format, requireAllJudged } from './format.ts';

/** A text alone or a pair. */
const sequenceSchema = z.array(z.string()).min(1).max(2);

export const requestSchema = z.object({
  inputs: z.union([z.string(), sequenceSchema, z.array(sequenceSchema).min(1)], {
    error: 'expected a string, a pair of strings or a batch [[string], [string, string], ...]',
  }),
  raw_scores: z.literal(false, { error: 'logits are not available' }).nullish(),
});

type Inputs = z.infer<typeof requestSchema>['inputs'];

/**
 * `POST /predict` of text-embeddings-inference. Two strings in `inputs` are a pair and not a batch, as there: the second
 * is judged as the response to the first. `truncate` changes nothing, because long texts are scored in windows.
 */
export const teiPredict: Format = (dependencies) => ({
  toErrorAnswer,
  routes: [
    {
      method: 'POST',
      path: '/predict',
      handle: createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
        const { inputs } = parseWith(requestSchema, body, []);
        const sequences = toSequences(inputs);
        const { maxItems } = dependencies.limits;
        if (sequences.length > maxItems) throw tooManyItems('inputs', sequences.length, maxItems);
        const verdict = await classify({ items: sequences.map(toItem), longInput: 'window' });
        const predictions = requireAllJudged(verdict).map(toPredictions);
        return {
          status: 200,
          headers: verdictHeaders(verdict, exchange),
          body: isBatch(inputs) ? predictions : predictions[0],
        };
      }),
    },
  ],
});

function isBatch(inputs: Inputs): inputs is string[][] {
  return Array.isArray(inputs[0]);
}

function toSequences(inputs: Inputs): string[][] {
  if (typeof inputs === 'string') return [[inputs]];
  return isBatch(inputs) ? inputs : [inputs as string[]];
}

function toItem(sequence: string[], index: number): ClassifyItem {
  const judged = wellFormed(sequence.at(-1) as string);
  if (judged === '') throw invalidField(['inputs', index], 'expected a text that is not empty');
  return sequence.length === 1 ? judged : { prompt: wellFormed(sequence[0] as string), response: judged };
}

/** Highest first. */
function toPredictions({ category_scores }: ItemVerdict) {
  return CATEGORIES.map((label) => ({ score: category_scores[label], label })).sort((a, b) => b.score - a.score);
}

const toErrorAnswer: ToErrorAnswer = (error) => ({
  status: error.status,
  headers: errorHeaders(error),
  body: { error: error.message, error_type: errorType(error) },
});

function errorType({ status }: DuoguardError): string {
  if (status === 429) return 'overloaded';
  if (status === 503) return 'unhealthy';
  return status >= 500 ? 'backend' : 'validation';
}
