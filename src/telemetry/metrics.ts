import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ErrorCode } from '../errors.ts';
import type { ItemVerdict, Verdict, ViewName } from '../moderation/contract.ts';
import { CATEGORIES, type Category } from '../taxonomy.ts';
import { TalliedCounter, TalliedHistogram, type Tally } from './tallies.ts';

/** The one place that records. Stages return what they measured; whoever ends a request calls `recordRequest` once. */
export interface Metrics {
  requestStarted(): void;
  recordRequest(record: RequestRecord): void;
  recordBatch(batch: BatchRecord): void;
  recordCheckpointLoad(result: 'success' | ErrorCode, seconds: number): void;
  recordCheckpointSwap(kind: string): void;
  recordStorePoll(result: 'changed' | 'unchanged' | ErrorCode): void;
  recordStoreDownload(result: 'success' | ErrorCode): void;
  recordStoreBytes(bytes: number): void;
  /** The candidate and the serving checkpoint judged one item; the categories on which they did not agree. */
  recordShadowComparison(disagreements: readonly Category[]): void;
  recordWorkerRestart(): void;
  recordRateLimited(by: 'key' | 'address'): void;
  recordPolicyReload(result: 'success' | 'failure'): void;
  recordAuditLost(lines: number): void;
  /** What would have been right, or that it was known already. */
  recordFeedback(kind: 'unsafe' | 'safe' | 'duplicate'): void;
  recordFeedbackDeleted(reason: 'request' | 'retention', rows: number): void;
  /** Became a row of an export, or why not. */
  recordFeedbackExported(result: 'row' | 'no_text' | 'no_language', rows: number): void;
  /** Sequences whose scores were remembered, and those that were not. */
  recordCacheLookup(hits: number, misses: number): void;
  checkpointServing(checkpoint: { readonly id: string; readonly sha256: string }): void;
  /** The queue is asked for its depth only when somebody reads the metrics. */
  watchQueue(depth: () => QueueDepth): void;
  /** The Prometheus text format. */
  render(): Promise<string>;
  readonly contentType: string;
}

export interface RequestRecord {
  /** The pattern of the route, or `unmatched`: never the path a client sent. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
  readonly errorCode?: ErrorCode | undefined;
  readonly judged?: { readonly verdict: Verdict; readonly policy: string } | undefined;
}

export interface BatchRecord {
  readonly sequences: number;
  /** Tokens of the texts. */
  readonly tokens: number;
  /** Tokens the model ran over, padding included. */
  readonly paddedTokens: number;
}

export interface QueueDepth {
  readonly sequences: number;
  readonly tokens: number;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Seconds, from 0.5 ms: a short text on an idle server takes a few milliseconds. */
const DURATIONS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const COUNTS = [1, 2, 4, 8, 16, 32, 64, 128];
const TOKENS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];
const RATIOS = [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1];
const SCORES = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const named = (name: string, help: string) => ({ name: `guardrail_${name}`, help, registry });
  const histogram = (name: string, help: string, bounds: number[]) =>
    new TalliedHistogram(named(name, help), bounds).tally('');
  const byLabel = (name: string, help: string, bounds: number[], label: string) =>
    new TalliedHistogram(named(name, help), bounds, label);
  const tallied = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new TalliedCounter<L>(named(name, help), labelNames);
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter<L>({ name: `guardrail_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `guardrail_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });

  let inFlight = 0;
  let queueDepth = (): QueueDepth => ({ sequences: 0, tokens: 0 });
  gauge('requests_in_flight', 'Requests that have arrived and are not answered yet.', () => inFlight);
  gauge('queue_size', 'Sequences waiting for a worker.', () => queueDepth().sequences);
  gauge('queue_tokens', 'Tokens waiting for a worker.', () => queueDepth().tokens);

  const requests = tallied('http_requests_total', 'Requests answered.', ['route', 'method', 'code']);
  const requestSeconds = byLabel('http_request_duration_seconds', 'From arrival to answer.', DURATIONS, 'route');
  const failures = counter('request_failures_total', 'Requests that failed, by error code.', ['reason']);
  const tokenization = histogram('tokenization_duration_seconds', 'Tokenization of a request.', DURATIONS);
  const queueing = histogram('queue_duration_seconds', 'Waiting for a worker.', DURATIONS);
  const inference = byLabel('inference_duration_seconds', 'Running the model.', DURATIONS, 'checkpoint');
  const inputTokens = histogram('input_tokens', 'Tokens of an item.', TOKENS);
  const inputWindows = histogram('input_windows', 'Windows of an item.', COUNTS);
  const decisions = tallied('decisions_total', 'Items judged, by action.', ['policy', 'action']);
  const flags = tallied('category_flags_total', 'Items flagged, by category.', ['category', 'policy']);
  const obfuscation = counter('obfuscation_detected_total', 'Items flagged in a view, and not as they read plainly.', [
    'view',
  ]);
  const scoresBy = byLabel('category_score', 'Probabilities, by category.', SCORES, 'category');
  /** In the order of `CATEGORIES`. A category is in the metrics once it was scored. */
  let scores: readonly Tally[] = [];
  const batchSize = histogram('batch_size', 'Sequences in a batch.', COUNTS);
  const batchTokens = histogram('batch_tokens', 'Tokens in a batch, padding included.', TOKENS);
  const padding = histogram('batch_padding_ratio', 'Share of a batch that is padding.', RATIOS);
  const loads = counter('checkpoint_loads_total', 'Attempts to load a checkpoint, by result.', ['result']);
  const loadSeconds = histogram('checkpoint_load_duration_seconds', 'Verifying and loading.', DURATIONS);
  const swaps = counter('checkpoint_swaps_total', 'Changes of the serving checkpoint, by reason.', ['kind']);
  const storePolls = counter('checkpoint_store_polls_total', 'Questions to the checkpoint store, by result.', [
    'result',
  ]);
  const storeDownloads = counter('checkpoint_store_downloads_total', 'Downloads of a checkpoint, by result.', [
    'result',
  ]);
  const storeBytes = counter('checkpoint_store_bytes_total', 'Bytes of checkpoints received from the store.');
  const comparisons = counter('shadow_comparisons_total', 'Items that a candidate judged beside the serving one.');
  const disagreements = counter('shadow_disagreements_total', 'Items on which the candidate decided otherwise.', [
    'category',
  ]);
  const feedback = counter('feedback_total', 'Feedback taken, by the right label.', ['kind']);
  const feedbackExported = counter('feedback_exported_total', 'Feedback in exports, by what became of it.', ['result']);
  const feedbackDeleted = counter('feedback_deleted_total', 'Feedback deleted, by reason.', ['reason']);
  const auditLost = counter('audit_lines_lost_total', 'Lines of the audit log that could not be written.');
  const cacheHits = counter('cache_hits_total', 'Sequences whose scores were remembered.');
  const cacheMisses = counter('cache_misses_total', 'Sequences that were looked for in the cache and not found.');
  const policyReloads = counter('policy_reloads_total', 'Changes of the policy file, by result.', ['result']);
  const rateLimited = counter('rate_limited_total', 'Requests refused because of a rate limit.', ['limit']);
  const restarts = counter('worker_restarts_total', 'Inference workers replaced after a crash.');
  const checkpointInfo = new Gauge({
    name: 'guardrail_checkpoint_info',
    help: 'The serving checkpoint; always 1.',
    labelNames: ['id', 'sha256'],
    registers,
  });

  function recordVerdict(verdict: Verdict, policy: string): void {
    tokenization.observe(verdict.timing_ms.tokenization / 1000);
    queueing.observe(verdict.timing_ms.queue / 1000);
    inference.tally(verdict.checkpoint).observe(verdict.timing_ms.inference / 1000);
    for (const result of verdict.results) {
      if ('error' in result) continue;
      inputTokens.observe(result.tokens);
      inputWindows.observe(result.windows);
      decisions.inc(policy, result.action);
      for (const view of revealingViews(result)) obfuscation.inc({ view });
      if (scores.length === 0) scores = CATEGORIES.map((id) => scoresBy.tally(id));
      for (let index = 0; index < CATEGORIES.length; index++) {
        const category = CATEGORIES[index] as Category;
        scores[index]?.observe(result.category_scores[category]);
        if (result.categories[category]) flags.inc(category, policy);
      }
    }
  }

  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    requestStarted: () => {
      inFlight++;
    },
    recordRequest({ route, method, status, seconds, errorCode, judged }) {
      inFlight--;
      requests.inc(route, METHODS.has(method) ? method : 'other', String(status));
      requestSeconds.tally(route).observe(seconds);
      if (errorCode !== undefined) failures.inc({ reason: errorCode });
      if (judged !== undefined) recordVerdict(judged.verdict, judged.policy);
    },
    recordBatch({ sequences, tokens, paddedTokens }) {
      batchSize.observe(sequences);
      batchTokens.observe(paddedTokens);
      padding.observe(paddedTokens === 0 ? 0 : 1 - tokens / paddedTokens);
    },
    recordCheckpointLoad(result, seconds) {
      loads.inc({ result });
      loadSeconds.observe(seconds);
    },
    recordCheckpointSwap: (kind) => swaps.inc({ kind }),
    recordStorePoll: (result) => storePolls.inc({ result }),
    recordStoreDownload: (result) => storeDownloads.inc({ result }),
    recordStoreBytes: (bytes) => storeBytes.inc(bytes),
    recordShadowComparison(categories) {
      comparisons.inc();
      for (const category of categories) disagreements.inc({ category });
    },
    recordWorkerRestart: () => restarts.inc(),
    recordPolicyReload: (result) => policyReloads.inc({ result }),
    recordRateLimited: (limit) => rateLimited.inc({ limit }),
    recordAuditLost: (lines) => auditLost.inc(lines),
    recordFeedback: (kind) => feedback.inc({ kind }),
    recordFeedbackExported: (result, rows) => feedbackExported.inc({ result }, rows),
    recordFeedbackDeleted: (reason, rows) => feedbackDeleted.inc({ reason }, rows),
    recordCacheLookup(hits, misses) {
      cacheHits.inc(hits);
      cacheMisses.inc(misses);
    },
    checkpointServing({ id, sha256 }) {
      checkpointInfo.reset();
      checkpointInfo.set({ id, sha256 }, 1);
    },
    watchQueue(depth) {
      queueDepth = depth;
    },
  };
}

/** Views in which an item flags while its normalised text does not. */
function revealingViews({ views }: ItemVerdict): readonly ViewName[] {
  if (views === undefined) return [];
  if (views.some(({ view, flagged }) => view === 'normalized' && flagged)) return [];
  return views.filter(({ flagged }) => flagged).map(({ view }) => view);
}
