import type { Authorize } from './api-keys.ts';
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
