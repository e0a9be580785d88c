import { randomUUID } from 'node:crypto';
import type { DuoguardError } from '../errors.ts';
import type { ItemFailure, ItemVerdict, StreamEvent } from '../moderation/contract.ts';
import { errorAnswer } from './error-answer.ts';
import { type Exchange, rounded } from './exchange.ts';
import { MODEL_NAME } from './judging.ts';

/** Events as bytes: NDJSON, or server-sent events for a client that accepts them. */
export interface EventWriter {
  readonly contentType: string;
  event(event: StreamEvent): Uint8Array;
  error(error: DuoguardError): Uint8Array;
}

export function eventWriter(exchange: Exchange, policy: string): EventWriter {
  const serverSent = /\btext\/event-stream\b/i.test(exchange.request.headers.get('accept') ?? '');
  const encoder = new TextEncoder();
  const write = (name: string, fields: object) => {
    const json = JSON.stringify({ event: name, ...fields });
    return encoder.encode(serverSent ? `event: ${name}\ndata: ${json}\n\n` : `${json}\n`);
  };
  return {
    contentType: serverSent ? 'text/event-stream' : 'application/x-ndjson',
    event: (event) => write(event.event, fieldsOf(event, exchange, policy)),
    error: (error) => write('error', errorAnswer(error, exchange.requestId).body as object),
  };
}

function fieldsOf(event: StreamEvent, exchange: Exchange, policy: string): object {
  switch (event.event) {
    case 'verdict': {
      const { index, start, end, context, checkpoint, result } = event;
      return { index, start, end, context, checkpoint, tokens: result.tokens, ...judgement(result) };
    }
    case 'failure': {
      const { index, start, end, context, checkpoint, error, action } = event;
      return { index, start, end, context, checkpoint, error, action };
    }
    case 'flag':
      return { index: event.index, start: event.start, end: event.end, categories: event.categories };
    case 'release':
      return { start: event.start, end: event.end, text: event.text };
    case 'done': {
      const { verdict, codePoints, released, failed } = event;
      const [result] = verdict.results;
      return {
        id: `cls-${randomUUID()}`,
        model: MODEL_NAME,
        checkpoint: verdict.checkpoint,
        policy,
        ...judgement(result),
        offset_unit: 'codepoint',
        length: codePoints,
        released,
        windows: 'error' in result ? 0 : result.windows,
        ...(failed === 0 ? {} : { failed }),
        usage: verdict.usage,
        timing_ms: { total: rounded(performance.now() - exchange.startedAt) },
      };
    }
  }
}

function judgement(result: ItemVerdict | ItemFailure): object {
  if ('error' in result) return { error: result.error, action: result.action };
  const { index: _, tokens: __, windows: ___, views: ____, ...judged } = result;
  return judged;
}
