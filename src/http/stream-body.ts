import { DuoguardError } from '../errors.ts';
import { isDeeperThan } from './body.ts';
import type { Received, ReceivedHeaders } from './received.ts';

/** How deltas are written in the body of a stream. */
export type StreamFormat = 'ndjson' | 'sse' | 'text';

const MAX_DEPTH = 32;

const FORMATS: readonly (readonly [RegExp, StreamFormat])[] = [
  [/^application\/(x-ndjson|ndjson|jsonl)$/i, 'ndjson'],
  [/^text\/event-stream$/i, 'sse'],
  [/^text\/plain$/i, 'text'],
];

/** Throws `unsupported_media_type`. */
export function streamFormat(headers: ReceivedHeaders): StreamFormat {
  const [type = '', ...parameters] = (headers.get('content-type') ?? '').split(';').map((part) => part.trim());
  const isUtf8 = parameters.every(
    (parameter) => !/^charset=/i.test(parameter) || /^charset="?utf-8"?$/i.test(parameter),
  );
  const encoding = headers.get('content-encoding') ?? 'identity';
  const format = FORMATS.find(([pattern]) => pattern.test(type))?.[1];
  if (format !== undefined && isUtf8 && encoding === 'identity') return format;
  throw new DuoguardError('unsupported_media_type', {
    message: 'A stream is application/x-ndjson, text/event-stream or text/plain in UTF-8.',
  });
}

export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest wait for the next piece, in milliseconds. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/**
 * The messages of a body, as they arrive: JSON values, or pieces of text as they are. Nothing is read before it is asked
 * for. Rejects with `payload_too_large`, `request_timeout`, `invalid_json`, `client_closed` or the reason of `signal`.
 */
export function readMessages(request: Received, format: StreamFormat, limits: BodyLimits): AsyncGenerator<unknown> {
  const texts = readTexts(request, limits);
  // Handed on as it is: each generator between costs every word some turns of the event loop's queue.
  if (format === 'text') return texts;
  return format === 'ndjson' ? parseLines(readLines(texts)) : readEvents(readLines(texts));
}

async function* parseLines(lines: AsyncIterable<string>): AsyncGenerator<unknown> {
  for await (const line of lines) if (line.trim() !== '') yield parse(line);
}

/**
 * The body is never cancelled here, because that would cut the connection before an error could be told; whoever ends
 * the answer has the rest of the body drained.
 */
async function* readTexts(request: Received, { maxBytes, idleMs, signal }: BodyLimits): AsyncGenerator<string> {
  if (request.body === null) return;
  const decode = createDecoder();
  const reader = request.body.getReader();
  let fail = (_: unknown) => {};
  const stop = () => fail(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  // One for all pieces: a stream of words comes in thousands. Between two reads there is nothing for it to fail.
  const idle = setTimeout(() => fail(new DuoguardError('request_timeout')), idleMs);
  let length = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      idle.refresh();
      const { done, value } = await new Promise<Awaited<ReturnType<typeof reader.read>>>((resolve, reject) => {
        fail = reject;
        reader.read().then(resolve, () => reject(new DuoguardError('client_closed')));
      });
      if (done) {
        yield decode();
        return;
      }
      length += value.byteLength;
      if (length > maxBytes) {
        throw new DuoguardError('payload_too_large', { message: `The stream is larger than ${maxBytes} bytes.` });
      }
      yield decode(value);
    }
  } finally {
    clearTimeout(idle);
    signal.removeEventListener('abort', stop);
  }
}

/** Called without a piece at the end. Throws `invalid_json`. */
function createDecoder(): (piece?: Uint8Array) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return (piece?: Uint8Array) => {
    try {
      return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
    } catch {
      throw new DuoguardError('invalid_json', { message: 'The stream is not valid UTF-8.' });
    }
  };
}

/** Lines without their ends. A last line needs no end. */
async function* readLines(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let line = '';
  for await (const text of texts) {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      line += text.slice(start, end);
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
      line = '';
      start = end + 1;
    }
    line += text.slice(start);
  }
  if (line !== '') yield line;
}

/** The data of server-sent events; other fields and comments mean nothing here. `[DONE]` ends the stream. */
async function* readEvents(lines: AsyncIterable<string>): AsyncGenerator<unknown> {
  let data: string[] = [];
  for await (const line of lines) {
    if (line.startsWith('data:')) data.push(line.slice(line.charAt(5) === ' ' ? 6 : 5));
    if (line !== '' || data.length === 0) continue;
    if (isEnd(data)) return;
    yield parse(data.join('\n'));
    data = [];
  }
  if (data.length > 0 && !isEnd(data)) yield parse(data.join('\n'));
}

function isEnd(data: readonly string[]): boolean {
  return data.length === 1 && data[0]?.trim() === '[DONE]';
}

function parse(text: string): unknown {
  if (isDeeperThan(text, MAX_DEPTH)) {
    throw new DuoguardError('invalid_json', { message: `A line is nested deeper than ${MAX_DEPTH} levels.` });
  }
  try {
    return JSON.parse(text);
  } catch {
    // The message of a SyntaxError quotes the line, so it goes nowhere.
    throw new DuoguardError('invalid_json', { message: 'A line is not valid JSON.' });
  }
}
