/** What handlers read of a request; a `Request` of the web standard is one. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: ReceivedHeaders;
  readonly body: ReadableStream<Uint8Array> | null;
  arrayBuffer(): Promise<ArrayBuffer>;
  /** All of the body, where it can be had without a copy. */
  readAll?(): Promise<Buffer>;
}

export type ReceivedHeaders = Pick<Headers, 'get' | 'has'>;
