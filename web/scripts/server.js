// @ts-check
/** @import { Answer, Info, Input, Policy, StreamEvent } from './types.d.ts' */

/** A failure in words for the person at the screen. */
export class Refusal extends Error {
  /** @param {string} message @param {boolean} [needsKey] */
  constructor(message, needsKey = false) {
    super(message);
    this.needsKey = needsKey;
  }
}

/** @type {Record<number, string>} What to do, where the server's message alone does not say it to a person. */
const ADVICE = {
  401: 'Enter an API key of this server.',
  403: 'Use another API key.',
  408: 'Try again.',
  413: 'Shorten the text.',
  500: 'The log of the server says more under the request id.',
  504: 'Try a shorter text, or again later.',
};

/**
 * @param {Input} input
 * @param {{ key: string, policy: string | undefined, explain: boolean, signal: AbortSignal }} options
 * @returns {Promise<Answer>} Rejects with a `Refusal`, or an `AbortError` after `signal`.
 */
export async function classify(input, { key, policy, explain, signal }) {
  const response = await reach('/classify', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...withKey(key) },
    body: JSON.stringify({ input, policy, ...(explain ? { explain } : {}) }),
    signal,
  });
  if (!response.ok) throw await toRefusal(response);
  return response.json();
}

/**
 * The text goes out as one body of deltas, each a word: over HTTP/1.1 browsers send no body that is still being written.
 * What the server makes of it comes back while it reads.
 *
 * @param {string} text
 * @param {Record<string, unknown>} settings
 * @param {{ key: string, signal: AbortSignal }} options
 * @returns {AsyncGenerator<StreamEvent>} Rejects like `classify`.
 */
export async function* classifyStream(text, settings, { key, signal }) {
  const deltas = (text.match(/\S+\s*|\s+/gu) ?? []).map((delta) => ({ text: delta }));
  const response = await reach('/classify/stream', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...withKey(key) },
    body: [settings, ...deltas].map((line) => `${JSON.stringify(line)}\n`).join(''),
    signal,
  });
  if (!response.ok || response.body === null) throw await toRefusal(response);
  yield* readLines(response.body);
}

/** @param {ReadableStream<Uint8Array>} body @returns {AsyncGenerator<StreamEvent>} */
async function* readLines(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(toRefusalOfReach);
    const lines = (rest + decoder.decode(value, { stream: !done })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
    if (done) return;
  }
}

/** @param {string} key @returns {Promise<Policy[]>} those that this key may choose; none where it may not even ask. */
export async function readPolicies(key) {
  const response = await reach('/v1/policies', { headers: withKey(key) });
  return response.ok ? (await response.json()).policies : [];
}

/** @param {string} key @returns {Record<string, string>} */
function withKey(key) {
  return key === '' ? {} : { authorization: `Bearer ${key}` };
}

/** @returns {Promise<Info>} */
export async function readInfo() {
  const response = await reach('/info');
  if (!response.ok) throw await toRefusal(response);
  return response.json();
}

/** Whether this server's `/classify` takes `explain`, as its own description says. */
export async function canExplain() {
  const response = await reach('/openapi.json');
  if (!response.ok) return false;
  const description = await response.json();
  return 'explain' in (description.components?.schemas?.ClassifyRequest?.properties ?? {});
}

/** @param {string} path @param {RequestInit} [init] */
async function reach(path, init) {
  return fetch(path, init).catch(toRefusalOfReach);
}

/** @param {unknown} error @returns {never} */
function toRefusalOfReach(error) {
  if (error instanceof DOMException && error.name === 'AbortError') throw error;
  throw new Refusal('The server cannot be reached. Check that it is running and that you are connected.');
}

/** @param {Response} response */
async function toRefusal(response) {
  const error = (await response.json().catch(() => ({}))).error ?? {};
  const message = error.message ?? `The server answered with status ${response.status}.`;
  return new Refusal(`${message} ${advice(response)}${requestId(response, error)}`.trim(), response.status === 401);
}

/** @param {Response} response */
function advice(response) {
  const seconds = response.headers.get('retry-after');
  if (seconds !== null) return `Try again in ${seconds} ${seconds === '1' ? 'second' : 'seconds'}.`;
  return ADVICE[response.status] ?? '';
}

/** @param {Response} response @param {{ request_id?: string }} error */
function requestId({ status }, { request_id: id }) {
  return status >= 500 && id !== undefined ? ` (request ${id})` : '';
}
