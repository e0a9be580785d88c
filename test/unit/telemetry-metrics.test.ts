import { describe, expect, it } from 'vitest';
import type { ItemVerdict } from '../../src/moderation/contract.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { verdictFor } from '../support/classifier-double.ts';

const verdict = verdictFor({
  items: ['a hateful remark', 'hello'],
  longInput: 'window',
  signal: new AbortController().signal,
});

/** `name{labels} value` lines of our own metrics. */
async function samples(metrics: ReturnType<typeof createMetrics>): Promise<Map<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith('guardrail_'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('createMetrics', () => {
  it('has the names that dashboards expect, beside the defaults of the process', async () => {
    const text = await createMetrics().render();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
    for (const name of [
      'http_requests_total',
      'http_request_duration_seconds',
      'requests_in_flight',
      'request_failures_total',
      'tokenization_duration_seconds',
      'queue_duration_seconds',
      'inference_duration_seconds',
      'queue_size',
      'queue_tokens',
      'batch_size',
      'batch_tokens',
      'batch_padding_ratio',
      'input_tokens',
      'input_windows',
      'decisions_total',
      'category_flags_total',
      'category_score',
      'obfuscation_detected_total',
      'checkpoint_info',
      'checkpoint_loads_total',
      'checkpoint_load_duration_seconds',
      'checkpoint_swaps_total',
      'shadow_comparisons_total',
      'shadow_disagreements_total',
      'worker_restarts_total',
    ]) {
      expect(names).toContain(`guardrail_${name}`);
    }
    expect(names).toContain('process_resident_memory_bytes');
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  it('counts an item whose disguise decided, by view', async () => {
    const [hateful] = verdict.results;
    const read = (flaggedPlainly: boolean) => ({
      ...verdict,
      results: [
        {
          ...(hateful as ItemVerdict),
          views: [
            { view: 'normalized', flagged: flaggedPlainly, score: 0.5 },
            { view: 'spaced', flagged: false, score: 0.1 },
            { view: 'leetspeak', flagged: true, score: 0.9 },
          ] as const,
        },
      ],
    });
    const metrics = createMetrics();
    for (const plainly of [false, true]) {
      const judged = { verdict: read(plainly), policy: 'default' };
      metrics.recordRequest({ route: '/classify', method: 'POST', status: 200, seconds: 0.004, judged });
    }
    const counted = [...(await samples(metrics))].filter(([key]) => key.includes('obfuscation'));
    expect(counted).toEqual([['guardrail_obfuscation_detected_total{view="leetspeak"}', 1]]);
  });

  it('counts a request once in each metric', async () => {
    const metrics = createMetrics();
    metrics.requestStarted();
    expect((await samples(metrics)).get('guardrail_requests_in_flight')).toBe(1);
    metrics.recordRequest({
      route: '/classify',
      method: 'POST',
      status: 200,
      seconds: 0.004,
      judged: { verdict, policy: 'default' },
    });
    const after = await samples(metrics);
    expect(Object.fromEntries(after)).toMatchObject({
      guardrail_requests_in_flight: 0,
      'guardrail_http_requests_total{route="/classify",method="POST",code="200"}': 1,
      'guardrail_http_request_duration_seconds_count{route="/classify"}': 1,
      'guardrail_http_request_duration_seconds_sum{route="/classify"}': 0.004,
      guardrail_tokenization_duration_seconds_sum: 0.00025,
      guardrail_queue_duration_seconds_count: 1,
      'guardrail_inference_duration_seconds_sum{checkpoint="double-1"}': 0.002,
      guardrail_input_tokens_sum: 14,
      guardrail_input_windows_count: 2,
      'guardrail_decisions_total{policy="default",action="block"}': 1,
      'guardrail_decisions_total{policy="default",action="allow"}': 1,
      'guardrail_category_flags_total{category="hate",policy="default"}': 1,
      'guardrail_category_score_count{category="privacy"}': 2,
    });
    expect([...after.keys()].filter((key) => key.startsWith('guardrail_category_flags_total'))).toHaveLength(1);
  });

  it('counts a failure by its code and keeps the method label bounded', async () => {
    const metrics = createMetrics();
    metrics.requestStarted();
    metrics.recordRequest({
      route: 'unmatched',
      method: 'PROPFIND',
      status: 404,
      seconds: 0.001,
      errorCode: 'not_found',
    });
    expect(Object.fromEntries(await samples(metrics))).toMatchObject({
      'guardrail_request_failures_total{reason="not_found"}': 1,
      'guardrail_http_requests_total{route="unmatched",method="other",code="404"}': 1,
    });
  });

  it('reads the queue when asked and records batches, loads, restarts and the checkpoint', async () => {
    const metrics = createMetrics();
    metrics.watchQueue(() => ({ sequences: 3, tokens: 40 }));
    metrics.recordBatch({ sequences: 2, tokens: 30, paddedTokens: 40 });
    metrics.recordCheckpointLoad('checkpoint_file_corrupt', 0.1);
    metrics.recordWorkerRestart();
    metrics.checkpointServing({ id: 'old', sha256: 'aa' });
    metrics.checkpointServing({ id: 'new', sha256: 'bb' });
    const values = await samples(metrics);
    expect(Object.fromEntries(values)).toMatchObject({
      guardrail_queue_size: 3,
      guardrail_queue_tokens: 40,
      guardrail_batch_size_sum: 2,
      guardrail_batch_tokens_sum: 40,
      guardrail_batch_padding_ratio_sum: 0.25,
      'guardrail_checkpoint_loads_total{result="checkpoint_file_corrupt"}': 1,
      guardrail_worker_restarts_total: 1,
      'guardrail_checkpoint_info{id="new",sha256="bb"}': 1,
    });
    expect(values.has('guardrail_checkpoint_info{id="old",sha256="aa"}')).toBe(false);
  });
});
