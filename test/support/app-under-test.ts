import { createAuthorize, parseApiKeys } from '../../src/http/api-keys.ts';
import { type AppDependencies, createApp } from '../../src/http/app.ts';
import { createCors } from '../../src/http/cors.ts';
import { Lifecycle } from '../../src/http/lifecycle.ts';
import type { Classifier } from '../../src/moderation/contract.ts';
import { createStreamClassifier } from '../../src/moderation/stream.ts';
import type { StreamTenure } from '../../src/moderation/stream-tenure.ts';
import type { TokenCounter } from '../../src/moderation/token-counter.ts';
import { defaultPolicies } from '../../src/policy/policies.ts';
import { perCategory } from '../../src/taxonomy.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { type ClassifierDouble, createClassifierDouble } from './classifier-double.ts';

/** One token a word. */
const WORD_COUNTER: TokenCounter = {
  count: (text) => text.split(/\s+/).filter((word) => word !== '').length,
  capacity: 128,
};

/** A stream that is judged by `classifier`, one token a word. */
export function holdNothing(classifier: Classifier): StreamTenure {
  return { classifier, counter: WORD_COUNTER, release: () => {} };
}

/** A ready app around a test double, with everything it writes kept in memory. */
export function createAppUnderTest({
  apiKeys = [],
  ...overrides
}: Partial<AppDependencies> & { readonly apiKeys?: readonly string[] } = {}) {
  const lines: string[] = [];
  const keys = parseApiKeys(apiKeys);
  const lifecycle = new Lifecycle();
  lifecycle.ready();
  const classifier: ClassifierDouble = createClassifierDouble();
  const dependencies = {
    classifier,
    streamClassifier: createStreamClassifier({ begin: () => holdNothing(overrides.classifier ?? classifier) }),
    policies: defaultPolicies(),
    lifecycle,
    metrics: createMetrics(),
    logger: createLogger('debug', { write: (line: string) => lines.push(line) }),
    checkpoints: {
      list: () => Promise.resolve({ active: 'double-1', trial: null, checkpoints: [] }),
      activate: () => Promise.resolve(),
      rollback: () => Promise.resolve(),
      shadow: () => Promise.resolve(),
      canary: () => Promise.resolve(),
    },
    limits: { maxBodyBytes: 2_097_152, maxItems: 32, requestTimeoutMs: 5_000, streamTimeoutMs: 20_000 },
    authorize: createAuthorize(() => keys),
    cors: createCors([]),
    countRequest: () => {},
    serveMetrics: true,
    pages: [],
    version: '0.0.0-test',
    checkpoint: () => ({
      id: 'double-1',
      created: '2026-01-01T00:00:00.000Z',
      thresholds: perCategory(() => 0.5),
      max_tokens: 128,
      languages: ['en'],
    }),
    ...overrides,
  };
  const app = createApp(dependencies);
  return {
    ...dependencies,
    app,
    lines,
    classify: (body: unknown, headers: Record<string, string> = {}) => app.request('/classify', post(body, headers)),
  };
}

/** A string is sent as it is, anything else as JSON. */
export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: (typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)) as NonNullable<
      RequestInit['body']
    >,
  };
}

export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly param?: string;
    request_id: string;
    doc: string;
  };
}

export async function errorOf(response: Response): Promise<ErrorBody['error']> {
  return ((await response.json()) as ErrorBody).error;
}
