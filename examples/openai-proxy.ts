import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { ClassifyItem, Client } from 'duoguard/client';
import { request as send } from 'undici';

export interface ProxyOptions {
  readonly client: Client;
  /** Of a server that speaks OpenAI's Chat Completions, such as `http://localhost:8000/v1`. */
  readonly upstream: string;
  readonly policy?: string;
  readonly holdBack?: number;
  readonly chunkTokens?: number;
}

interface ChatRequest {
  readonly messages: readonly {
    readonly role: string;
    readonly content?: string | readonly { text?: string }[] | null;
  }[];
  readonly stream?: boolean;
  readonly n?: number;
}

interface Choice {
  readonly index: number;
  readonly delta?: { readonly content?: string | null };
  readonly message?: { readonly content?: string | null };
  readonly finish_reason: string | null;
}

type Chunk = { readonly choices: readonly Choice[] } & Readonly<Record<string, unknown>>;

const SERVER_SENT = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };

/**
 *     createServer(createProxy({ client, upstream: 'http://localhost:8000/v1' })).listen(8081);
 *
 * The conversation is judged before the model sees it, the answer before the caller does: it is held back until it was
 * judged, and cut with the finish reason `content_filter`. When the caller leaves, the model is stopped. Tool calls pass
 * unjudged. Nothing passes while the guard cannot be reached.
 */
export function createProxy(options: ProxyOptions): RequestListener {
  return (request, response) => {
    const left = new AbortController();
    response.once('close', () => left.abort());
    respond(request, response, left.signal, options).catch((error: unknown) => {
      if (left.signal.aborted) return;
      const refused = error instanceof Refusal ? error : new Refusal(502, 'upstream_unavailable', 'Nobody answered.');
      // The status has been sent: clients of OpenAI take an event with an error for a failure.
      if (response.headersSent) response.end(serverSent(refused.body));
      else writeJson(response, refused.status, refused.body);
    });
  };
}

class Refusal extends Error {
  readonly status: number;
  readonly body: object;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.body = {
      error: { message, type: status < 500 ? 'invalid_request_error' : 'server_error', param: null, code },
    };
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  options: ProxyOptions,
): Promise<void> {
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
    throw new Refusal(404, 'not_found', 'Only POST /v1/chat/completions is answered.');
  }
  const asked = await readRequest(request);
  const messages = asked.messages.map(({ role, content }) => ({ role, content: textOf(content) }));
  if (await isBlocked({ messages }, signal, options)) {
    throw new Refusal(400, 'content_filter', 'The conversation was blocked.');
  }
  // Stops the model also when its answer is cut.
  const stop = new AbortController();
  const answer = await send(`${options.upstream}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: request.headers.authorization ?? '' },
    body: JSON.stringify(asked),
    signal: AbortSignal.any([signal, stop.signal]),
  });
  try {
    if (answer.statusCode !== 200) writeJson(response, answer.statusCode, await answer.body.json());
    else if (asked.stream) await streamAnswer(answer.body, response, signal, options);
    else await sendAnswer((await answer.body.json()) as Chunk, response, signal, messages.at(-1)?.content, options);
  } finally {
    stop.abort();
    answer.body.destroy();
  }
}

async function readRequest(request: IncomingMessage): Promise<ChatRequest> {
  const asked = (await json(request).catch(() => undefined)) as ChatRequest | undefined;
  if (!Array.isArray(asked?.messages)) throw new Refusal(400, 'invalid_request', 'messages: is required.');
  if ((asked.n ?? 1) !== 1) throw new Refusal(400, 'invalid_request', 'n: more than one choice is not supported.');
  return asked;
}

async function sendAnswer(
  answer: Chunk,
  response: ServerResponse,
  signal: AbortSignal,
  prompt: string | undefined,
  options: ProxyOptions,
): Promise<void> {
  const text = answer.choices[0]?.message?.content ?? '';
  const blocked = text !== '' && (await isBlocked({ prompt: prompt ?? '', response: text }, signal, options));
  if (!blocked) return writeJson(response, 200, answer);
  const choices = [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'content_filter' }];
  writeJson(response, 200, { ...answer, choices });
}

/**
 *    chunks of the model -> text -> guard -> released text -> chunks for the caller
 *                        -> whatever is no text ----------->
 */
async function streamAnswer(
  body: AsyncIterable<Uint8Array>,
  response: ServerResponse,
  signal: AbortSignal,
  { client, policy, holdBack = 16, chunkTokens = 32 }: ProxyOptions,
): Promise<void> {
  let envelope: Omit<Chunk, 'choices'> = {};
  /** The finish reason and the usage, which must not come before the last of the text. */
  const last: Chunk[] = [];
  response.writeHead(200, SERVER_SENT);
  const write = async (chunk: Chunk) => {
    if (!response.write(serverSent(chunk))) await once(response, 'drain', { signal });
  };
  async function* deltas(): AsyncGenerator<string> {
    for await (const chunk of readChunks(body)) {
      const { choices, ...rest } = chunk;
      const [choice] = choices;
      envelope = rest;
      const { content, ...others } = choice?.delta ?? {};
      if (typeof content === 'string' && content !== '') yield content;
      if (choice === undefined || choice.finish_reason !== null) last.push(withoutText(chunk));
      else if (Object.keys(others).length > 0) await write(withoutText(chunk));
    }
  }
  const settings = { holdBack, chunkTokens, signal, ...(policy === undefined ? {} : { policy }) };
  const say = (delta: object, reason: string | null) =>
    write({ ...envelope, choices: [{ index: 0, delta, finish_reason: reason }] });
  let blocked = false;
  for await (const event of client.classifyStream(deltas(), settings)) {
    if (event.event === 'release') await say({ content: event.text }, null);
    if (event.event === 'verdict' || event.event === 'failure') blocked ||= event.action === 'block';
    if (blocked) break;
  }
  if (blocked) await say({}, 'content_filter');
  else for (const chunk of last) await write(chunk);
  response.end('data: [DONE]\n\n');
}

function withoutText(chunk: Chunk): Chunk {
  const choices = chunk.choices.map(({ delta, ...choice }) => {
    const { content: _, ...others } = delta ?? {};
    return { ...choice, delta: others };
  });
  return { ...chunk, choices };
}

/** The data of server-sent events up to `[DONE]`. */
async function* readChunks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split(/\r?\n/);
    rest = lines.pop() as string;
    for (const line of lines) {
      if (!line.startsWith('data:')) continue;
      const data = line.slice('data:'.length).trim();
      if (data === '[DONE]') return;
      yield JSON.parse(data) as Chunk;
    }
  }
}

/** Throws when the guard cannot be reached. What it could not judge is blocked, unless its policy says otherwise. */
async function isBlocked(item: ClassifyItem, signal: AbortSignal, { client, policy }: ProxyOptions): Promise<boolean> {
  const { results } = await client.classify(item, { signal, ...(policy === undefined ? {} : { policy }) });
  return results[0]?.action === undefined || results[0].action === 'block';
}

function textOf(content: ChatRequest['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text }) => text ?? '').join('\n');
}

function writeJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function serverSent(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
