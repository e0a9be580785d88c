import type { LanguageModelMiddleware } from 'ai';
import type { ClassifyItem, Client } from 'duoguard/client';

type WrapGenerate = NonNullable<LanguageModelMiddleware['wrapGenerate']>;
type WrapStream = NonNullable<LanguageModelMiddleware['wrapStream']>;
type Params = Parameters<WrapGenerate>[0]['params'];
type Generated = Awaited<ReturnType<WrapGenerate>>;
type Streamed = Awaited<ReturnType<WrapStream>>;
type Part = Streamed['stream'] extends ReadableStream<infer P> ? P : never;

export interface GuardOptions {
  readonly client: Client;
  readonly policy?: string;
  /** Tokens at the end of what was judged that wait until the next window has seen them. */
  readonly holdBack?: number;
  /** New tokens that one window judges: fewer let text out sooner and cost more. */
  readonly chunkTokens?: number;
}

/**
 *     const model = wrapLanguageModel({ model: openai('gpt-5'), middleware: guardMiddleware({ client }) });
 *
 * An unsafe conversation never reaches the model. An unsafe answer is withheld, a streamed one cut before the unsafe part;
 * either finishes with `content-filter`. A guard that cannot be reached fails the call. Reasoning and tool calls are not
 * judged.
 */
export function guardMiddleware(options: GuardOptions): LanguageModelMiddleware {
  const { client, policy } = options;
  const asked = policy === undefined ? {} : { policy };

  async function isBlocked(item: ClassifyItem, params: Params): Promise<boolean> {
    const signal = params.abortSignal === undefined ? {} : { signal: params.abortSignal };
    const { results } = await client.classify(item, { ...asked, ...signal });
    const [result] = results;
    // What could not be judged, and of which the policy says nothing, does not pass.
    return result?.action === undefined || result.action === 'block';
  }

  return {
    specificationVersion: 'v3',

    async wrapGenerate({ doGenerate, params }) {
      const messages = toMessages(params);
      if (messages.length > 0 && (await isBlocked({ messages }, params))) return WITHHELD;
      const generated = await doGenerate();
      const answer = generated.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
      if (answer === '') return generated;
      const prompt = messages.at(-1)?.content ?? '';
      const blocked = await isBlocked({ prompt, response: answer }, params);
      return blocked ? { ...WITHHELD, usage: generated.usage } : generated;
    },

    async wrapStream({ doStream, params }) {
      const messages = toMessages(params);
      if (messages.length > 0 && (await isBlocked({ messages }, params))) {
        return { stream: ReadableStream.from([{ type: 'stream-start', warnings: [] }, FINISH]) as Streamed['stream'] };
      }
      const streamed = await doStream();
      const reader = streamed.stream.getReader();
      return { ...streamed, stream: ReadableStream.from(guardParts(reader, options)) as Streamed['stream'] };
    },
  };
}

/** Everything passes as it comes, but text, which is guarded block by block. */
async function* guardParts(reader: ReadableStreamDefaultReader<Part>, options: GuardOptions): AsyncGenerator<Part> {
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      yield next.value;
      if (next.value.type !== 'text-start') continue;
      const blocked = yield* guardText(reader, next.value.id, options);
      if (!blocked) continue;
      yield FINISH;
      return;
    }
  } finally {
    // Stops the model, if it still writes.
    await reader.cancel();
  }
}

/** One block of text, whose start has been read. Returns whether it was cut. */
async function* guardText(
  reader: ReadableStreamDefaultReader<Part>,
  id: string,
  { client, policy, holdBack = 16, chunkTokens = 32 }: GuardOptions,
): AsyncGenerator<Part, boolean> {
  /** What comes within the block and is no text, such as another block, waits for its end. */
  const later: Part[] = [];
  async function* deltas(): AsyncGenerator<string> {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const part = next.value;
      if (part.type === 'text-delta') yield part.delta;
      else if (part.type === 'error') throw part.error;
      else if (part.type === 'text-end' && part.id === id) return;
      else later.push(part);
    }
  }
  const settings = { holdBack, chunkTokens, ...(policy === undefined ? {} : { policy }) };
  for await (const event of client.classifyStream(deltas(), settings)) {
    if (event.event === 'release') yield { type: 'text-delta', id, delta: event.text };
    const judged = event.event === 'verdict' || event.event === 'failure';
    if (!judged || event.action !== 'block') continue;
    yield { type: 'text-end', id };
    return true;
  }
  yield { type: 'text-end', id };
  yield* later;
  return false;
}

/** The texts of the conversation. */
function toMessages({ prompt }: Params): { role: string; content: string }[] {
  return prompt
    .map(({ role, content }) => ({
      role,
      content:
        typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    }))
    .filter(({ content }) => content !== '');
}

const UNKNOWN_USAGE = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};
const FINISH_REASON = { unified: 'content-filter', raw: 'duoguard' } as const;
const FINISH: Part = { type: 'finish', finishReason: FINISH_REASON, usage: UNKNOWN_USAGE };
const WITHHELD: Generated = { content: [], finishReason: FINISH_REASON, usage: UNKNOWN_USAGE, warnings: [] };
