import { isUtf8 } from 'node:buffer';
import { DuoguardError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { Received, ReceivedHeaders } from './received.ts';

/**
 * Depth of JSON arrays and objects that is accepted. The deepest request has 5; more is an attack on whatever walks the
 * value afterwards.
 */
const MAX_DEPTH = 32;

/** The JSON body. Throws `unsupported_media_type`, `payload_too_large`, `invalid_json`, `request_timeout` or `client_closed`. */
export async function readJson(request: Received, maxBytes: number, deadline: Deadline): Promise<unknown> {
  requireJson(request.headers);
  return parseJson(await readWithin(request, maxBytes, deadline));
}

/** For clients that send nothing, or JSON without saying so: `{}` for an empty body. Throws like `readJson`. */
export async function readOptionalJson(request: Received, maxBytes: number, deadline: Deadline): Promise<unknown> {
  if (request.headers.has('content-type')) requireJson(request.headers);
  const bytes = await readWithin(request, maxBytes, deadline);
  return bytes.length === 0 ? {} : parseJson(bytes);
}

function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new DuoguardError('invalid_json', { message: 'The body is not valid UTF-8.' });
  const text = bytes.toString('utf8');
  if (isDeeperThan(text, MAX_DEPTH)) {
    throw new DuoguardError('invalid_json', { message: `The body is nested deeper than ${MAX_DEPTH} levels.` });
  }
  try {
    return JSON.parse(text);
  } catch {
    // The message of a SyntaxError quotes the body, so it goes nowhere, not even into the log as a cause.
    throw new DuoguardError('invalid_json');
  }
}

function requireJson(headers: ReceivedHeaders): void {
  const type = headers.get('content-type') ?? '';
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type) && encoding === 'identity') return;
  throw new DuoguardError('unsupported_media_type');
}

async function readWithin(request: Received, maxBytes: number, deadline: Deadline): Promise<Buffer> {
  const declared = Number(request.headers.get('content-length') ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  // The parser under us holds a body to its declared length, so only a body without one has to be counted.
  const reading = Number.isNaN(declared) ? readCounted(request, maxBytes) : readDeclared(request);
  try {
    return await deadline.limit(reading);
  } catch (error) {
    if (!(error instanceof DuoguardError)) throw new DuoguardError('client_closed');
    throw error.code === 'deadline_exceeded' ? new DuoguardError('request_timeout') : error;
  }
}

function readDeclared(request: Received): Promise<Buffer> {
  return request.readAll === undefined ? request.arrayBuffer().then(Buffer.from) : request.readAll();
}

async function readCounted(request: Received, maxBytes: number): Promise<Buffer> {
  if (request.body === null) return Buffer.alloc(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, length);
    length += value.byteLength;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(value);
  }
}

function tooLarge(maxBytes: number): DuoguardError {
  return new DuoguardError('payload_too_large', { message: `The body is larger than ${maxBytes} bytes.` });
}

/** Counts brackets outside strings, before anything is built from the text. */
export function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let position = 0; position < text.length; position++) {
    switch (text.charCodeAt(position)) {
      case 0x22:
        position = endOfString(text, position);
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > limit) return true;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
    }
  }
  return false;
}

/** @returns the position of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let position = start;
  for (;;) {
    position = text.indexOf('"', position + 1);
    if (position < 0) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(position - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return position;
  }
}
