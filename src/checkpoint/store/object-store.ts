/** Where checkpoints are fetched from: objects by key, a key being a path below the store's address. */
export interface ObjectStore {
  /** For the log: without credentials, and without the query, which may be one. */
  readonly address: string;
  /**
   * Throws `checkpoint_store_unreachable` (worth another try), `checkpoint_store_invalid` (not worth one), or the
   * reason of the signal. What iterating the body throws can be anything.
   */
  get(key: string, request: ObjectRequest): Promise<ObjectAnswer>;
  close(): void;
}

export interface ObjectRequest {
  /** Ends the answer's body too. */
  readonly signal: AbortSignal;
  /** The entity tag of what is known: the answer is `unchanged` while the object still has it. */
  readonly known?: string | undefined;
  /** What is there already. A store that cannot continue, or whose object has another tag, sends the whole. */
  readonly resume?: { readonly offset: number; readonly etag: string | undefined };
}

export type ObjectAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'found';
      readonly etag: string | undefined;
      /** Where in the object the body begins: that of `resume`, or 0. */
      readonly offset: number;
      readonly body: AsyncIterable<Uint8Array>;
    };
