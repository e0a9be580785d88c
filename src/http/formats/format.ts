import { DuoguardError, ERRORS, type ErrorCode } from '../../errors.ts';
import type { ItemFailure, ItemVerdict, Verdict } from '../../moderation/contract.ts';
import { CATEGORIES } from '../../taxonomy.ts';
import type { CheckpointAdmin } from '../checkpoint-routes.ts';
import { wellFormed } from '../classify-request.ts';
import type { ToErrorAnswer } from '../error-answer.ts';
import type { Handler, RouteInfo } from '../exchange.ts';
import { invalidField, tooManyItems } from '../invalid-field.ts';
import type { JudgingDependencies } from '../judging.ts';
import type { InfoDependencies } from '../status-routes.ts';

export type FormatDependencies = JudgingDependencies & InfoDependencies & { readonly checkpoints: CheckpointAdmin };

export interface FormatRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** A hono pattern. */
  readonly path: string;
  readonly handle: Handler;
  readonly logLevel?: RouteInfo['logLevel'];
}

/** A wire format that other servers defined: its routes and the shape of its errors. */
export type Format = (dependencies: FormatDependencies) => {
  readonly routes: readonly FormatRoute[];
  readonly toErrorAnswer: ToErrorAnswer;
};

/** Texts that came from `field`. Throws `invalid_request` for none or an empty one, and `too_many_items`. */
export function toItems(texts: readonly string[], field: string, maxItems: number): string[] {
  if (texts.length === 0) throw invalidField([field], 'expected at least one item');
  if (texts.length > maxItems) throw tooManyItems(field, texts.length, maxItems);
  return texts.map((text, index) => {
    if (text === '') throw invalidField([field, index], 'expected a text that is not empty');
    return wellFormed(text);
  });
}

/** For formats in which one item cannot fail alone: throws what the first failed item failed with. */
export function requireAllJudged(verdict: Verdict): ItemVerdict[] {
  return verdict.results.map((result) => {
    if ('error' in result) throw itemError(result);
    return result;
  });
}

function itemError({ index, error }: ItemFailure): DuoguardError {
  if (!Object.hasOwn(ERRORS, error.code)) return new DuoguardError('internal_error');
  const code = error.code as ErrorCode;
  return new DuoguardError(code, { message: `Item ${index}: ${ERRORS[code].message}` });
}

/**
 * For guardrails, which answer yes or no for all items together. One item that is blocked decides, even if another failed.
 *
 * @returns why: the categories that fired on a blocked item, a denied phrase, a failure that the policy blocks. Empty when
 * all may pass. Throws when an item failed, the policy says nothing about it, and none is blocked.
 */
export function blockReasons(verdict: Verdict): string[] {
  const blocked = verdict.results.filter(({ action }) => action === 'block');
  if (blocked.length === 0) {
    for (const result of verdict.results) if ('error' in result && result.action === undefined) throw itemError(result);
    return [];
  }
  const judged = blocked.filter((result) => 'flagged' in result);
  return [
    ...CATEGORIES.filter((id) => judged.some((result) => result.categories[id])),
    ...(judged.some((result) => result.denied_phrase !== undefined) ? ['denied phrase'] : []),
    ...(judged.length < blocked.length ? ['could not be judged'] : []),
  ];
}
