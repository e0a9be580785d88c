import { describe, expect, it } from 'vitest';
import { DuoguardError, ERRORS, type ErrorCode } from '../../src/errors.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';

const MARKER = 'zqx planted marker';
const KEY = 'planted-api-key-zqx';

/** Everything a client can put text into, on every route, to every kind of end. */
const bodies: Record<string, unknown> = {
  'a good request': { input: MARKER },
  'every shape': {
    input: [MARKER, { prompt: MARKER, response: MARKER }, { messages: [{ role: 'user', content: MARKER }] }],
  },
  'not JSON': MARKER,
  'half a JSON text': `{"input": "${MARKER}`,
  'deep nesting': `${'['.repeat(50)}"${MARKER}"`,
  'a wrong type': { input: { text: MARKER } },
  'an unknown field': { input: 'a', [MARKER]: MARKER },
  'an unknown category': { input: 'a', thresholds: { [MARKER]: 0.5 } },
  'an unknown category in a list': { input: 'a', categories: [MARKER] },
  'an unknown policy': { input: 'a', policy: MARKER },
  'an unknown long_input': { input: 'a', long_input: MARKER },
  'a wrong threshold': { input: 'a', thresholds: { hate: MARKER } },
  'a wrong role': { input: { messages: [{ role: MARKER.repeat(10), content: 'a' }] } },
  'an unknown field of a message': { input: { messages: [{ role: 'user', content: 'a', [MARKER]: 1 }] } },
  'too many items': { input: Array(33).fill(MARKER) },
  'too large': { input: MARKER.repeat(200_000) },
};

const TEXT = `hateful ${MARKER}`;
const MESSAGE = { role: MARKER, content: TEXT };

/** For each foreign format a good request, and what its own schema refuses. */
const formatBodies: [string, unknown][] = [
  ['/v1/moderations', { model: MARKER, input: TEXT }],
  ['/v1/moderations', { input: [{ type: 'text', text: TEXT }] }],
  ['/v1/moderations', { input: [{ type: MARKER, text: TEXT }] }],
  ['/v1/moderations', { input: { [MARKER]: TEXT } }],
  ['/beta/litellm_basic_guardrail_api', { input_type: 'request', texts: [TEXT], model: MARKER }],
  ['/beta/litellm_basic_guardrail_api', { input_type: MARKER, texts: [TEXT] }],
  ['/v2/models/duoguard/infer', { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [TEXT] }] }],
  ['/v2/models/duoguard/infer', { inputs: [{ name: MARKER, datatype: MARKER, shape: [1], data: [TEXT] }] }],
  ['/v2/models/duoguard/infer', { inputs: [], outputs: [{ name: MARKER }] }],
  [`/v2/models/duoguard/versions/${encodeURIComponent(MARKER)}/infer`, { inputs: [] }],
  ['/v1/classify', { model: MARKER, input: [TEXT] }],
  ['/v1/classify', { messages: [MESSAGE] }],
  ['/v1/classify', { input: { [MARKER]: TEXT } }],
  ['/predict', { inputs: TEXT }],
  ['/predict', { inputs: [[TEXT, TEXT]] }],
  ['/predict', { inputs: TEXT, raw_scores: MARKER }],
  ['/request', { body: { messages: [MESSAGE] } }],
  ['/request', { body: { messages: [{ role: MARKER, content: [TEXT] }] } }],
  ['/response', { body: { choices: [{ message: MESSAGE }] } }],
  ['/response', { body: { choices: [MESSAGE] } }],
];

const failingWithText = () =>
  createClassifierDouble(async ({ items }) => {
    throw new Error(JSON.stringify(items));
  });

const failingItemsWithText = () =>
  createClassifierDouble(async (request) => ({
    ...verdictFor(request),
    results: request.items.map((item, index) => ({
      index,
      error: { code: 'inference_failed', message: JSON.stringify(item) },
    })),
  }));

describe('text of users', () => {
  it.each(Object.entries(bodies))('stays out of answers, logs and metrics: %s', async (_, body) => {
    const under = createAppUnderTest();
    const path = `/classify?q=${encodeURIComponent(MARKER)}`;
    const answer = await under.app.request(path, post(body, { 'x-request-id': MARKER, 'user-agent': MARKER }));
    await expectNowhere(under, answer);
  });

  it.each(formatBodies)('stays out of the foreign format %s: %j', async (path, body) => {
    for (const classifier of [createClassifierDouble(), failingWithText(), failingItemsWithText()]) {
      const under = createAppUnderTest({ classifier });
      const url = `${path}?q=${encodeURIComponent(MARKER)}`;
      await expectNowhere(under, await under.app.request(url, post(body, { 'x-request-id': MARKER })));
    }
  });

  it.each([
    ['deltas', `"${TEXT}"\n{"text":"${TEXT}"}\n`],
    ['unknown settings', JSON.stringify({ [MARKER]: MARKER, policy: MARKER })],
    ['half a JSON text', `"${TEXT}"\n{"text":"${MARKER}`],
    ['a delta of the wrong type', JSON.stringify({ text: [MARKER], [MARKER]: 1 })],
  ])('stays out of a stream: %s', async (_, body) => {
    for (const classifier of [createClassifierDouble(), failingWithText(), failingItemsWithText()]) {
      const under = createAppUnderTest({ classifier });
      const path = `/classify/stream?chunk_tokens=1&context_tokens=0`;
      for (const url of [
        '/classify/stream',
        path,
        `${path}&${encodeURIComponent(MARKER)}=${encodeURIComponent(MARKER)}`,
      ]) {
        const answer = await under.app.request(url, post(body, { 'content-type': 'application/x-ndjson' }));
        await expectNowhere(under, answer);
      }
    }
  });

  it.each(Object.keys(ERRORS) as ErrorCode[])('stays out when the classifier fails with %s', async (code) => {
    const classifier = createClassifierDouble(async ({ items }) => {
      throw new DuoguardError(code, { cause: new Error(String(items[0])) });
    });
    const under = createAppUnderTest({ classifier });
    await expectNowhere(under, await under.classify({ input: MARKER }));
  });

  it('stays out when a bug throws it', async () => {
    const classifier = createClassifierDouble(async ({ items }) => {
      throw Object.assign(new Error(`${items[0]}\n    at ${items[0]}`), { text: items[0] });
    });
    const under = createAppUnderTest({ classifier });
    await expectNowhere(under, await under.classify({ input: MARKER }));
  });

  const paths = new Set(formatBodies.map(([path]) => path));
  it.each(['/livez', '/readyz', '/info', '/metrics', '/classify', '/v2', `/${encodeURIComponent(MARKER)}`, ...paths])(
    'stays out of %s',
    async (path) => {
      for (const method of ['GET', 'PUT']) {
        const under = createAppUnderTest();
        await expectNowhere(under, await under.app.request(`${path}?${encodeURIComponent(MARKER)}`, { method }));
      }
    },
  );

  it('goes for API keys too', async () => {
    const under = createAppUnderTest({ apiKeys: [KEY] });
    for (const authorization of [`Bearer ${KEY}`, `Bearer ${KEY}x`]) {
      const answer = await under.classify({ input: 'a' }, { authorization });
      await expectNowhere(under, answer, KEY);
    }
  });

  it('would be found if it were there', async () => {
    const under = createAppUnderTest();
    under.logger.info({ text: MARKER });
    await expect(expectNowhere(under, new Response(''))).rejects.toThrow();
  });
});

async function expectNowhere(
  under: ReturnType<typeof createAppUnderTest>,
  answer: Response,
  marker = MARKER,
): Promise<void> {
  const seen = [
    await answer.text(),
    JSON.stringify([...answer.headers]),
    under.lines.join('\n'),
    await under.metrics.render(),
  ].join('\n');
  expect(under.lines.length).toBeGreaterThan(0);
  for (const form of [marker, encodeURIComponent(marker)]) expect(seen).not.toContain(form);
}
