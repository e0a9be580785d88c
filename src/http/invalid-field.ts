import type { z } from 'zod';
import { DuoguardError } from '../errors.ts';

/** A name that a client made up is repeated only when it looks like a field's name and not like a text. */
const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,39}$/;

/** The first thing that is wrong, as `invalid_request` naming its field. Values are never quoted. */
export function toInvalidRequest(error: z.ZodError, prefix: readonly PropertyKey[]): DuoguardError {
  const issue = error.issues[0];
  if (issue === undefined) return new DuoguardError('invalid_request');
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') return invalidField([...path, issue.keys[0] ?? ''], 'is not known');
  return invalidField(path, lowerFirst(issue.message));
}

export function invalidField(path: readonly PropertyKey[], problem: string): DuoguardError {
  const field = fieldPath(path);
  return new DuoguardError('invalid_request', { message: `${field}: ${problem}.`, details: { field } });
}

export function tooManyItems(field: string, count: number, limit: number): DuoguardError {
  return new DuoguardError('too_many_items', {
    message: `${field}: ${count} items, more than the ${limit} that one request may have.`,
    details: { field, limit },
  });
}

/** `input[3].messages[0].content`; the body itself is `body`. */
function fieldPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else {
      const name = FIELD_NAME.test(String(part)) ? String(part) : '(a name not shown)';
      text += text === '' ? name : `.${name}`;
    }
  }
  return text === '' ? 'body' : text;
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
