import { z } from 'zod';
import type { StreamClassifier, StreamSettings } from '../moderation/contract.ts';
import { parseClassifyRequest, parseWith } from './classify-request.ts';
import { invalidField } from './invalid-field.ts';

const tokens = (minimum: number) => z.int().min(minimum).max(1_000_000).optional();

const sizesSchema = z.object({
  chunk_tokens: tokens(1),
  context_tokens: tokens(0),
  hold_back: tokens(0),
  flush_ms: z.int().min(0).max(60_000).optional(),
});
const SIZES = Object.keys(sizesSchema.shape);

const deltaSchema = z.union([z.string(), z.strictObject({ text: z.string() })], 'expected a string or {text}');

export interface StreamPlan {
  readonly settings: StreamSettings;
  /** What `POST /classify` takes beside its input. */
  readonly request: Parameters<StreamClassifier['classifyStream']>[2];
}

/** What comes while it is written is what a model puts out, unless the request says otherwise. */
const DEFAULT_DIRECTION = 'output';

/** What of a classify request means nothing for a stream. */
const NOT_HERE = ['input', 'long_input', 'explain'];

/** Throws `invalid_request` naming the field. */
export function parseStreamPlan(values: Readonly<Record<string, unknown>>): StreamPlan {
  for (const field of NOT_HERE) if (field in values) throw invalidField([field], 'is not a setting of a stream');
  const sizes = parseWith(sizesSchema, values, []);
  const others = Object.fromEntries(Object.entries(values).filter(([field]) => !SIZES.includes(field)));
  const { items: _, ...request } = parseClassifyRequest({ ...others, input: 'a stream' }, 1);
  return {
    settings: {
      ...(sizes.chunk_tokens === undefined ? {} : { chunkTokens: sizes.chunk_tokens }),
      ...(sizes.context_tokens === undefined ? {} : { contextTokens: sizes.context_tokens }),
      ...(sizes.hold_back === undefined ? {} : { holdBack: sizes.hold_back }),
      ...(sizes.flush_ms === undefined ? {} : { flushMs: sizes.flush_ms }),
    },
    request: { direction: DEFAULT_DIRECTION, ...request },
  };
}

/** The settings of a query, where the sizes are numbers and everything else is JSON or a word. `undefined`: none. */
export function settingsOfQuery(query: URLSearchParams): Record<string, unknown> | undefined {
  const values = Object.fromEntries([...query].map(([name, value]) => [name, fromQuery(value)]));
  return Object.keys(values).length === 0 ? undefined : values;
}

function fromQuery(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** An object without `text` that stands first is no delta. */
export function isSettings(message: unknown): message is Record<string, unknown> {
  return typeof message === 'object' && message !== null && !Array.isArray(message) && !('text' in message);
}

/** Throws `invalid_request`. @param index of the message, settings included, for the error. */
export function parseDelta(message: unknown, index: number): string {
  if (typeof message === 'string') return message;
  const delta = parseWith(deltaSchema, message, ['stream', index]);
  return typeof delta === 'string' ? delta : delta.text;
}
