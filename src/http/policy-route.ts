import { DuoguardError } from '../errors.ts';
import { type ClassifyRequest, DEFAULT_POLICY } from '../moderation/contract.ts';
import type { ApiKey, Authorize } from './api-keys.ts';
import type { Handler } from './exchange.ts';
import { invalidField } from './invalid-field.ts';

/** What the routes ask of whoever keeps the policies. */
export interface PolicyCatalogue {
  /** Undefined for a name that nobody configured. */
  find(name: string): object | undefined;
  /** JSON values. */
  describe(): readonly unknown[];
}

/** `GET /v1/policies`, for everybody who may choose one. */
export function createPolicyHandler(policies: PolicyCatalogue, authorize: Authorize): Handler {
  return ({ request }) => {
    authorize(request.headers, 'classify');
    return { status: 200, body: { policies: policies.describe() } };
  };
}

/** Throws `invalid_request` for a name that is not configured; the name is not repeated. */
export function requirePolicy(policies: PolicyCatalogue, name: string | undefined): void {
  if (name !== undefined && policies.find(name) === undefined) throw invalidField(['policy'], 'is not known');
}

/**
 * Throws `forbidden` when a request asks to be judged otherwise than by the default policy and its key, if there are keys,
 * has not the scope override. What a text is (`direction`, `language`) everybody may say.
 */
export function requireMayOverride(
  key: ApiKey | undefined,
  { policy = DEFAULT_POLICY, thresholds, categories }: Pick<ClassifyRequest, 'policy' | 'thresholds' | 'categories'>,
): void {
  if (key === undefined || key.scopes.has('override')) return;
  const asked = Object.entries({ policy: policy !== DEFAULT_POLICY, thresholds, categories }).find(
    ([, value]) => value,
  );
  if (asked === undefined) return;
  throw new DuoguardError('forbidden', {
    message: `${asked[0]}: the API key does not have the scope override.`,
    details: { field: asked[0] },
  });
}
