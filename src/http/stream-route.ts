import type { RunningDigest } from '../audit/text-digest.ts';
import { DuoguardError } from '../errors.ts';
import { DEFAULT_POLICY, type StreamClassifier, type StreamEvent, type StreamVerdict } from '../moderation/contract.ts';
import type { Answer, StreamEnd } from './answer.ts';
import { deadlineMs } from './deadline.ts';
import { toDuoguardError } from './error-answer.ts';
import type { Exchange, Handler } from './exchange.ts';
import { type JudgingDependencies, noteKey, requireServing } from './judging.ts';
import { requireMayOverride, requirePolicy } from './policy-route.ts';
import { readMessages, streamFormat } from './stream-body.ts';
import { StreamEnding } from './stream-ending.ts';
import { eventWriter } from './stream-events.ts';
import { isSettings, parseDelta, parseStreamPlan, settingsOfQuery } from './stream-request.ts';

export interface StreamDependencies extends Omit<JudgingDependencies, 'classifier'> {
  readonly streamClassifier: StreamClassifier;
}

/** `POST /classify/stream`: what is wrong before the first delta is an error status, later it is an `error` event. */
export function createStreamHandler(dependencies: StreamDependencies): Handler {
  const { streamClassifier, authorize, lifecycle, limits, audit } = dependencies;
  return async (exchange) => {
    requireServing(lifecycle);
    const { request } = exchange;
    const key = authorize(request.headers, 'classify');
    noteKey(exchange, key);
    const format = streamFormat(request.headers);
    const ending = new StreamEnding(deadlineMs(request.headers, limits.streamTimeoutMs));
    exchange.onClientLeft(() => ending.abort(new DuoguardError('client_closed')));
    try {
      const { signal } = ending;
      const messages = readMessages(request, format, {
        maxBytes: limits.maxBodyBytes,
        idleMs: limits.requestTimeoutMs,
        signal,
      });
      const inQuery = settingsOfQuery(new URL(request.url).searchParams);
      // Without settings in the query the first line may hold them, so it is waited for.
      const first = inQuery === undefined && format !== 'text' ? await messages.next() : undefined;
      const given = first !== undefined && !first.done && isSettings(first.value) ? first.value : undefined;
      const { settings, request: asked } = parseStreamPlan(inQuery ?? given ?? {});
      requireMayOverride(key, asked);
      requirePolicy(dependencies.policies, asked.policy);
      const digest = audit?.startDigest(asked.language);
      const plain = toDeltas(messages, given === undefined ? first : undefined);
      const deltas = digest === undefined ? plain : digested(plain, digest);
      const { trace } = exchange;
      const traced = trace === undefined ? asked : { ...asked, trace };
      const events = streamClassifier.classifyStream(deltas, settings, traced, signal);
      return streamAnswer(events, asked.policy ?? DEFAULT_POLICY, exchange, ending, digest);
    } catch (error) {
      ending.end(undefined);
      throw error;
    }
  };
}

async function* toDeltas(messages: AsyncGenerator<unknown>, first?: IteratorResult<unknown>): AsyncGenerator<string> {
  let index = 0;
  if (first !== undefined && !first.done) yield parseDelta(first.value, index++);
  for await (const message of messages) yield parseDelta(message, index++);
}

async function* digested(deltas: AsyncGenerator<string>, digest: RunningDigest): AsyncGenerator<string> {
  for await (const delta of deltas) {
    digest.update(delta);
    yield delta;
  }
}

/** One event is made for each that the client has taken; nothing is ever ahead of it but what its socket buffers. */
function streamAnswer(
  events: AsyncGenerator<StreamEvent, void, undefined>,
  policy: string,
  exchange: Exchange,
  ending: StreamEnding,
  digest: RunningDigest | undefined,
): Answer {
  const writer = eventWriter(exchange, policy);
  let soFar: StreamVerdict | undefined;
  let over = false;
  /** What was judged counts, however the stream ended: a client may leave because of a flag. */
  const end = (error: StreamEnd) => {
    if (over) return;
    over = true;
    if (soFar !== undefined) {
      const cut = error && { cut: error.code };
      exchange.judged = { verdict: soFar, policy, ...(digest && { texts: [digest.end()] }), ...cut };
    }
    ending.end(error);
  };
  const fail = (controller: ReadableStreamDefaultController<Uint8Array>, thrown: unknown) => {
    if (over) return;
    const error = toDuoguardError(thrown);
    end(error);
    controller.enqueue(writer.error(error));
    controller.close();
    exchange.hangUp();
  };
  let pulling = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // A client that has stopped reading asks for no event that could tell it that its time is over.
        const onAbort = () => {
          if (pulling) return;
          fail(controller, ending.signal.reason);
          void events.return();
        };
        ending.signal.addEventListener('abort', onAbort, { once: true });
      },
      async pull(controller) {
        pulling = true;
        try {
          const { done, value } = await events.next();
          if (done) {
            end(undefined);
            return controller.close();
          }
          if (value.event === 'verdict' || value.event === 'failure') soFar = value.soFar;
          controller.enqueue(writer.event(value));
        } catch (thrown) {
          fail(controller, thrown);
        } finally {
          pulling = false;
        }
      },
      async cancel() {
        end(new DuoguardError('client_closed'));
        ending.abort(new DuoguardError('client_closed'));
        await events.return();
      },
    },
    { highWaterMark: 0 },
  );
  const headers = {
    'content-type': writer.contentType,
    'cache-control': 'no-store',
    // nginx holds an answer back until its buffer is full, unless told not to.
    'x-accel-buffering': 'no',
  };
  return { status: 200, headers, body, ended: ending.ended };
}
