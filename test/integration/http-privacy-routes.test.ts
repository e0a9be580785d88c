import { describe, expect, it } from 'vitest';
import { createAudit } from '../../src/audit/audit.ts';
import { DuoguardError, ERRORS, type ErrorCode } from '../../src/errors.ts';
import type { FeedbackService } from '../../src/feedback/feedback-service.ts';
import { findKey, parseApiKeys } from '../../src/http/api-keys.ts';
import type { AppDependencies } from '../../src/http/app.ts';
import { createCors } from '../../src/http/cors.ts';
import { Lifecycle } from '../../src/http/lifecycle.ts';
import { createRateLimits } from '../../src/http/rate-limits.ts';
import { createStreamClassifier } from '../../src/moderation/stream.ts';
import { traceStages } from '../../src/moderation/traced.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { openTracing, type Tracing } from '../../src/telemetry/tracing.ts';
import { createAppUnderTest, holdNothing } from '../support/app-under-test.ts';
import { createClassifierDouble } from '../support/classifier-double.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';

/**
 * Every route that the app has, to every end that a request can have, with the marker wherever a client can put text.
 * The list of routes is the app's own, so that a new one cannot be forgotten.
 */
const MARKER = 'zqx planted marker';
const TEXT = `hateful ${MARKER}`;
const KEY = 'planted-key-zqx';

/** Of each route that judges, a body that reaches the model. */
const BODIES: Readonly<Record<string, unknown>> = {
  '/classify': { input: [TEXT, { prompt: TEXT, response: TEXT }, { messages: [{ role: MARKER, content: TEXT }] }] },
  '/classify/stream': { text: TEXT },
  '/v1/moderations': { model: MARKER, input: TEXT },
  '/beta/litellm_basic_guardrail_api': { input_type: 'request', texts: [TEXT], model: MARKER },
  '/v2/models/duoguard/infer': { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [TEXT] }] },
  '/v1/classify': { model: MARKER, input: [TEXT] },
  '/predict': { inputs: TEXT },
  '/request': { body: { messages: [{ role: 'user', content: TEXT }] } },
  '/response': { body: { choices: [{ message: { role: 'assistant', content: TEXT } }] } },
};

/** Of each other route that takes a body, one that it reads to its end. */
const OTHER_BODIES: Readonly<Record<string, unknown>> = {
  '/v1/checkpoints/:id/activate': { [MARKER]: TEXT },
  '/v1/checkpoints/:id/rollback': { [MARKER]: TEXT },
  '/v1/checkpoints/:id/shadow': { [MARKER]: TEXT },
  '/v1/checkpoints/:id/canary': { [MARKER]: TEXT },
  '/v1/feedback': { text: TEXT, unsafe: true, categories: ['hate'], note: TEXT },
  '/v2/models/duoguard/versions/:version/infer': {
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [TEXT] }],
  },
  '/v2/repository/index': { ready: true, [MARKER]: TEXT },
  '/v2/repository/models/:model/load': { parameters: { version: MARKER, [MARKER]: TEXT } },
  '/v2/repository/models/:model/unload': { parameters: { version: MARKER, [MARKER]: TEXT } },
};

/** What goes wrong, as the dependencies of the app that make it happen. */
const ENDS: Readonly<Record<string, () => Partial<AppDependencies>>> = {
  'an answer': () => ({}),
  'an answer without a key': () => ({ authorize: () => undefined }),
  'a bug that quotes the text': () => failing(() => new Error(`${TEXT}\n    at ${TEXT}`)),
  'a key that is not known': () => ({
    authorize: () => {
      throw new DuoguardError('unauthorized');
    },
  }),
  'a used up rate': () => ({
    countRequest: createRateLimits({
      perKey: 1,
      perAddress: 1,
      trustedProxies: 1,
      findKey: (headers) => findKey(parseApiKeys([KEY]), headers),
      onLimited: () => {},
    }),
  }),
  'no checkpoint yet': () => ({ lifecycle: new Lifecycle() }),
  ...Object.fromEntries(
    (Object.keys(ERRORS) as ErrorCode[]).map((code) => [
      `the error ${code}`,
      () => failing(() => new DuoguardError(code, { cause: new Error(TEXT) })),
    ]),
  ),
};

/** Takes feedback and has none: to its readers its texts are no leak. */
const FORGETFUL: FeedbackService = {
  add: async () => ({ id: 'fb-1', created: true }),
  list: async () => [],
  exportable: async () => [],
  remove: async () => 1,
  removeBefore: async () => 0,
  close: async () => {},
};

/** Whatever does work for a route fails like this. */
function failing(error: () => Error): Partial<AppDependencies> {
  const fail = () => Promise.reject(error());
  return {
    classifier: createClassifierDouble(fail),
    checkpoints: { list: fail, activate: fail, rollback: fail, shadow: fail, canary: fail },
    feedback: { ...FORGETFUL, add: fail, list: fail, exportable: fail, remove: fail },
  };
}

function createPlanted(overrides: Partial<AppDependencies>) {
  const audited: string[] = [];
  const detectLanguage = () => 'en';
  const audit = createAudit('a key of the audit', { append: (line) => audited.push(line) }, { detectLanguage });
  const cors = createCors(['https://app.example']);
  const apiKeys = [`classify+admin+metrics=${KEY}`];
  const classifier = traceStages(overrides.classifier ?? createClassifierDouble());
  const streamClassifier = createStreamClassifier({ begin: () => holdNothing(classifier) });
  const feedback = FORGETFUL;
  return {
    ...createAppUnderTest({ audit, cors, apiKeys, feedback, ...overrides, classifier, streamClassifier }),
    audited,
  };
}

/** Beside the app, a collector that keeps the bytes of all traces. */
async function createTraced(overrides: Partial<AppDependencies>) {
  const { endpoint, raw, spans } = await startOtlpReceiver();
  const logger = createLogger('silent', { write: () => {} });
  const tracing = (await openTracing({ endpoint, version: '1', logger })) as Tracing;
  return { ...createPlanted({ ...overrides, tracing }), tracing, raw, spans };
}

const routes = [...new Set(createPlanted({}).app.routes.map(({ path }) => path))];

function ask(under: ReturnType<typeof createPlanted>, route: string, method: string) {
  const marked = encodeURIComponent(MARKER);
  const path = route.replaceAll(/:\w+/g, marked);
  const headers = {
    'content-type': route.endsWith('/stream') ? 'application/x-ndjson' : 'application/json',
    authorization: `Bearer ${KEY}`,
    cookie: MARKER,
    origin: MARKER,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    tracestate: `vendor=${MARKER}`,
    baggage: `text=${MARKER}`,
    'user-agent': MARKER,
    'x-forwarded-for': MARKER,
    'x-request-id': MARKER,
    'x-routing-key': MARKER,
    'access-control-request-method': MARKER,
  };
  const body = method === 'POST' ? JSON.stringify(BODIES[route] ?? OTHER_BODIES[route] ?? null) : null;
  // A stream refuses settings in the query that it does not know, before it reads.
  const query = route.endsWith('/stream') ? '' : `?${marked}=${marked}`;
  return under.app.request(`${path}${query}`, { method, headers, body });
}

describe('the marker', () => {
  it('has a body for each route that takes one', async () => {
    const withBody = [];
    for (const route of routes) {
      const { status } = await createPlanted({}).app.request(route, { method: 'POST' });
      if (status !== 405) withBody.push(route);
    }
    expect([...Object.keys(BODIES), ...Object.keys(OTHER_BODIES)].sort()).toEqual(withBody.sort());
  });

  it('goes to routes that judge it', async () => {
    for (const route of Object.keys(BODIES)) {
      const classifier = createClassifierDouble();
      const under = createPlanted({ classifier });
      const answer = await ask(under, route, 'POST');
      await answer.text();
      expect([route, answer.status, classifier.requests.length > 0]).toEqual([route, 200, true]);
      await new Promise((resolve) => setImmediate(resolve));
      expect([route, under.audited.length > 0]).toEqual([route, true]);
    }
  });

  it.each(Object.entries(ENDS))('comes out of no route at the end: %s', async (end, overrides) => {
    const under = await createTraced(overrides());
    const methods = end === 'an answer' ? ['POST', 'GET', 'PUT', 'OPTIONS'] : ['POST', 'GET'];
    for (const route of [...routes, `/${encodeURIComponent(MARKER)}`]) {
      for (const method of methods) {
        const answer = await ask(under, route, method);
        expectNothing(`${method} ${route}`, [JSON.stringify([...answer.headers]), await answer.text()]);
      }
    }
    expect(under.lines.length).toBeGreaterThanOrEqual(methods.length * routes.length);
    expectNothing('log', under.lines);
    expectNothing('audit', under.audited);
    expectNothing('metrics', [await under.metrics.render()]);
    await under.tracing.close();
    expect(under.spans.length).toBeGreaterThan(routes.length);
    // As text in any position: strings of protobuf are UTF-8.
    expectNothing('traces', under.raw.map(String));
  });

  it('would be found', () => {
    expect(() => expectNothing('here', ['a', `b ${MARKER}`])).toThrow();
  });
});

function expectNothing(place: string, seen: readonly string[]): void {
  const text = seen.join('\n');
  const found = [MARKER, encodeURIComponent(MARKER), KEY].filter((form) => text.includes(form));
  expect({ place, found }).toEqual({ place, found: [] });
}
