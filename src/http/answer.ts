import type { DuoguardError } from '../errors.ts';

/** What a handler returns; `exchange.ts` turns it into a response. */
export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or a stream is sent as it is, `null` is no body, anything else is JSON. A stream must end, never fail. */
  readonly body: unknown;
  /** Of an answer that is a stream: settles when it is over. Until then the request is in flight. */
  readonly ended?: Promise<StreamEnd>;
}

/** The failure that ended a stream after its status was sent; `undefined` if there was none. */
export type StreamEnd = DuoguardError | undefined;
