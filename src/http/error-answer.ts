import { DuoguardError } from '../errors.ts';
import type { Answer } from './answer.ts';

/** Seconds a client should wait when the error does not say: a queue of short texts empties faster than this. */
const RETRY_AFTER_SECONDS = 1;

/** The foreseen failure, or `internal_error` for everything else: its own message never reaches the client. */
export function toDuoguardError(error: unknown): DuoguardError {
  return error instanceof DuoguardError ? error : new DuoguardError('internal_error', { cause: error });
}

export type ToErrorAnswer = (error: DuoguardError, requestId: string) => Answer;

/** `{"error": {code, message, param?, request_id, doc}}` with the status of the catalogue. */
export const errorAnswer: ToErrorAnswer = (error, requestId) => {
  const param = error.details['field'];
  return {
    status: error.status,
    headers: errorHeaders(error),
    body: {
      error: {
        code: error.code,
        message: error.message,
        ...(typeof param === 'string' ? { param } : {}),
        request_id: requestId,
        doc: `docs/errors.md#${error.code}`,
      },
    },
  };
};

/** What any format says in headers: when to retry, how to authenticate, which methods there are. */
export function errorHeaders(error: DuoguardError): Record<string, string> {
  const headers: Record<string, string> = {};
  if (error.status === 429 || error.status === 503) {
    const wait = error.details['retryAfterSeconds'];
    headers['retry-after'] = String(typeof wait === 'number' ? Math.max(1, Math.ceil(wait)) : RETRY_AFTER_SECONDS);
  }
  if (error.code === 'unauthorized') headers['www-authenticate'] = 'Bearer';
  const allow = error.details['allow'];
  if (typeof allow === 'string') headers['allow'] = allow;
  return headers;
}
