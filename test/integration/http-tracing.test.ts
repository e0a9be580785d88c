import { describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import type { Classifier } from '../../src/moderation/contract.ts';
import { createStreamClassifier } from '../../src/moderation/stream.ts';
import { traceStages } from '../../src/moderation/traced.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { openTracing, type Tracing } from '../../src/telemetry/tracing.ts';
import { createAppUnderTest, holdNothing, post } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';
import { type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const traceparent = (flags: string) => ({ traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-${flags}` });

async function createTraced(judging: Classifier = createClassifierDouble(), status?: () => number) {
  const receiver = await startOtlpReceiver(status);
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line: string) => lines.push(line) });
  const tracing = (await openTracing({ endpoint: receiver.endpoint, version: '1.2.3', logger })) as Tracing;
  const classifier = traceStages(judging);
  const streamClassifier = createStreamClassifier({ begin: () => holdNothing(classifier) });
  const under = createAppUnderTest({ classifier, streamClassifier, tracing });
  return {
    ...under,
    tracingLog: lines,
    tracing,
    receiver,
    async spans() {
      await tracing.close();
      return receiver.spans;
    },
  };
}

/** Names of a span's children with theirs, in the order of their start. */
function tree(spans: readonly ReceivedSpan[], parent: ReceivedSpan): unknown {
  const children = spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId);
  for (const { start, end, traceId } of children) {
    expect(traceId).toBe(parent.traceId);
    expect(start).toBeGreaterThanOrEqual(parent.start);
    expect(end).toBeGreaterThanOrEqual(start);
  }
  const sorted = children.sort((a, b) => Number(a.start - b.start));
  return { [parent.name]: sorted.map((child) => tree(spans, child)) };
}

const STAGES = ['prepare', 'queue', 'inference', 'decide'].map((name) => ({ [name]: [] }));

describe('traces', () => {
  it('show the stages of a request under the span of its caller', async () => {
    const { classify, spans, lines } = await createTraced();
    const headers = { ...traceparent('01'), 'x-request-id': 'request-1' };
    expect((await classify({ input: ['a calm text', 'a hateful text'] }, headers)).status).toBe(200);

    const all = await spans();
    const request = all.find(({ kind }) => kind === 'SPAN_KIND_SERVER') as ReceivedSpan;
    expect(request).toMatchObject({ traceId: CALLER.traceId, parentSpanId: CALLER.spanId, failed: false });
    expect(tree(all, request)).toEqual({ 'POST /classify': [{ classify: STAGES }] });
    expect(request.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/classify',
      'url.path': '/classify',
      'url.scheme': 'http',
      'http.response.status_code': 200,
      'duoguard.request_id': 'request-1',
      'duoguard.policy': 'default',
    });
    expect(all.find(({ name }) => name === 'classify')?.attributes).toEqual({
      'duoguard.checkpoint': 'double-1',
      'duoguard.items': 2,
      'duoguard.items_failed': 0,
      'duoguard.items_flagged': 1,
      'duoguard.categories': ['hate'],
      'duoguard.tokens': 14,
    });
    expect(request.resource).toMatchObject({ 'service.name': 'duoguard', 'service.version': '1.2.3' });
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ trace_id: CALLER.traceId });
  });

  it('give each stage the time that the verdict says', async () => {
    const { classify, spans } = await createTraced();
    await classify({ input: 'a' });
    const all = await spans();
    const milliseconds = Object.fromEntries(
      all.map(({ name, start, end }) => [name, Math.round(Number(end - start) / 10_000) / 100]),
    );
    // The double says so: 0.25 + 0.5 + 2 of 3 ms.
    expect(milliseconds).toMatchObject({ prepare: 0.25, queue: 0.5, inference: 2, decide: 0.25, classify: 3 });
  });

  it('have one part for each window of a stream', async () => {
    const { app, spans } = await createTraced();
    const body = ['one two ', 'three four ', 'hateful six'].map((text) => JSON.stringify({ text })).join('\n');
    const answer = await app.request(
      '/classify/stream?chunk_tokens=2&context_tokens=0',
      post(body, { 'content-type': 'application/x-ndjson', ...traceparent('01') }),
    );
    expect(await answer.text()).toContain('"done"');
    await new Promise((resolve) => setImmediate(resolve));
    const all = await spans();
    const request = all.find(({ kind }) => kind === 'SPAN_KIND_SERVER') as ReceivedSpan;
    expect(tree(all, request)).toEqual({ 'POST /classify/stream': Array(3).fill({ classify: STAGES }) });
  });

  it('have no queue and no inference where nothing was run', async () => {
    const remembered = createClassifierDouble(async (request) => ({
      ...verdictFor(request),
      timing_ms: { tokenization: 1, queue: 0, inference: 0, total: 2 },
    }));
    const { classify, spans } = await createTraced(remembered);
    await classify({ input: 'a' });
    expect((await spans()).map(({ name }) => name).sort()).toEqual(['POST /classify', 'classify', 'decide', 'prepare']);
  });

  it('tell what failed, and whose fault it was', async () => {
    const failures = [new DuoguardError('inference_failed'), new DuoguardError('overloaded')];
    const { classify, app, spans } = await createTraced(
      createClassifierDouble(() => Promise.reject(failures.shift() as Error)),
    );
    for (const _ of [1, 2]) await classify({ input: 'a' });
    await classify('not JSON');
    await app.request('/nowhere', { method: 'BREW' });
    expect((await spans()).map(({ name, attributes, failed }) => [name, attributes['error.type'], failed])).toEqual([
      ['POST /classify', 'inference_failed', true],
      ['POST /classify', 'overloaded', false],
      ['POST /classify', 'invalid_json', false],
      ['HTTP', 'not_found', false],
    ]);
  });

  it.each(['', 'nonsense', `00-${CALLER.traceId}-${CALLER.spanId}`, `00-${'0'.repeat(32)}-${CALLER.spanId}-01`])(
    'begin anew with a traceparent that is none: %j',
    async (header) => {
      const { classify, spans } = await createTraced();
      await classify({ input: 'a' }, { traceparent: header });
      const request = (await spans()).find(({ kind }) => kind === 'SPAN_KIND_SERVER') as ReceivedSpan;
      expect(request.parentSpanId).toBe('');
      expect(request.traceId).not.toBe(CALLER.traceId);
    },
  );

  it('leave out what the caller does not trace, and probes', async () => {
    const { classify, app, spans, lines } = await createTraced();
    await classify({ input: 'a' }, traceparent('00'));
    for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json']) await app.request(path);
    expect(await spans()).toEqual([]);
    expect(lines.join()).not.toContain('trace_id');
  });

  it('cost no request when the collector is out of order, and are reported once', async () => {
    const { classify, spans, tracingLog } = await createTraced(undefined, () => 400);
    for (let turn = 0; turn < 200; turn++) expect((await classify({ input: 'a' })).status).toBe(200);
    expect(await spans()).toEqual([]);
    expect(tracingLog.map((line) => JSON.parse(line).msg)).toEqual([
      'traces cannot be sent; they are lost until they can',
    ]);
  });

  it('need an endpoint', async () => {
    const logger = createLogger('info', { write: () => {} });
    expect(await openTracing({ endpoint: undefined, version: '1', logger })).toBeUndefined();
  });
});
