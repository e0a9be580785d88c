import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Received, ReceivedHeaders } from './received.ts';

/**
 * Requests that need nothing of an adapter: known by their whole target, with a body of a declared length, to a host that
 * is plainly written. Taking them from the connection and answering there costs half of what a `Request`, hono's context
 * and a `Response` do.
 */
export function isPlain({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined && PLAIN_HOST.test(headers.host ?? '');
}

const PLAIN_HOST = /^[a-z0-9._-]+(?::\d{4,5})?$/;

/** Headers of which Node keeps the first where a client sends several; `Headers` joins them, and what is joined is refused. */
const KEPT_ONCE: ReadonlySet<string> = new Set(['authorization', 'content-type']);

/** A request as its connection has it. */
export class DirectRequest implements Received, ReceivedHeaders {
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  get method(): string {
    return this.#incoming.method ?? 'GET';
  }

  get url(): string {
    return `http://${this.#incoming.headers.host}${this.#incoming.url}`;
  }

  get headers(): ReceivedHeaders {
    return this;
  }

  /** @param name in lower case. */
  get(name: string): string | null {
    const { headers } = this.#incoming;
    const value = headers[name];
    if (value === undefined) return null;
    if (KEPT_ONCE.has(name)) return joined(this.#incoming.rawHeaders, name);
    return typeof value === 'string' ? value : value.join(', ');
  }

  has(name: string): boolean {
    return this.#incoming.headers[name] !== undefined;
  }

  get body(): ReadableStream<Uint8Array> {
    return Readable.toWeb(this.#incoming) as ReadableStream<Uint8Array>;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return Uint8Array.from(await this.readAll()).buffer;
  }

  /** A short body has mostly come with its headers: it is there as soon as the parser has let go of it. */
  async readAll(): Promise<Buffer> {
    await undefined;
    const first: Buffer | null = this.#incoming.read();
    const missing = Number(this.#incoming.headers['content-length']) - (first?.length ?? 0);
    if (missing > 0) return this.#readOn(first);
    return first ?? Buffer.alloc(0);
  }

  #readOn(first: Buffer | null): Promise<Buffer> {
    const incoming = this.#incoming;
    const chunks = first === null ? [] : [first];
    return new Promise((resolve, reject) => {
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.once('end', () => resolve(Buffer.concat(chunks)));
      incoming.once('error', reject);
      // Also when the connection was gone before anybody listened.
      if (incoming.destroyed) reject(incoming.errored ?? new Error('the connection ended'));
    });
  }
}

function joined(rawHeaders: readonly string[], name: string): string {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index] as string;
    if (given.length === name.length && given.toLowerCase() === name) values.push(rawHeaders[index + 1] as string);
  }
  return values.join(', ');
}

/** How long a client may go on with a body after it has its answer. */
const REST_MS = 500;

/** Headers and body leave in one write. */
export function send(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string | null,
): void {
  if (body !== null) headers['content-length'] = String(Buffer.byteLength(body));
  outgoing.writeHead(status, headers);
  outgoing.end(body ?? undefined);
  if (!incoming.complete) cutSoon(incoming);
}

/** Node reads what is left of a body and throws it away, for as long as it comes. */
function cutSoon(incoming: IncomingMessage): void {
  setTimeout(() => {
    if (!incoming.complete) incoming.socket.destroySoon();
  }, REST_MS).unref();
}
