import { describe, expect, it } from 'vitest';
import { DuoguardError, type ErrorCode } from '../../src/errors.ts';
import { Lifecycle } from '../../src/http/lifecycle.ts';
import { perCategory } from '../../src/taxonomy.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { createClassifierDouble } from '../support/classifier-double.ts';

const failing = (code: ErrorCode) =>
  createClassifierDouble(async () => {
    throw new DuoguardError(code);
  });
const CALM = Array(12).fill(0.01);
const HATEFUL = CALM.map((score, index) => (index === 8 ? 0.9 : score));

describe('KServe v2', () => {
  const INFER = '/v2/models/duoguard/infer';
  const infer = (data: unknown[], shape: number[] = [data.length]) => ({
    inputs: [{ name: 'text', datatype: 'BYTES', shape, data }],
  });

  it.each([
    ['/v2', { name: 'duoguard', version: '0.0.0-test', extensions: ['model_repository'] }],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { ready: true }],
    ['/v2/models/duoguard/ready', { name: 'duoguard', ready: true }],
    [
      '/v2/models/duoguard',
      {
        name: 'duoguard',
        versions: ['double-1'],
        platform: 'onnxruntime_onnx',
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
        outputs: [
          { name: 'probabilities', datatype: 'FP32', shape: [-1, 12] },
          { name: 'flagged', datatype: 'BOOL', shape: [-1] },
        ],
      },
    ],
  ])('answers GET %s', async (path, body) => {
    const response = await createAppUnderTest().app.request(path);
    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual(body);
  });

  it('is alive but not ready before a checkpoint serves', async () => {
    const { app } = createAppUnderTest({ lifecycle: new Lifecycle(), checkpoint: () => undefined });
    expect((await app.request('/v2/health/live')).status).toBe(200);
    for (const path of ['/v2/health/ready', '/v2/models/duoguard/ready']) {
      const response = await app.request(path);
      expect(response.status).toBe(503);
      expect(await response.json()).toStrictEqual({ error: expect.any(String) });
    }
    expect(await (await app.request('/v2/models/duoguard')).json()).toMatchObject({ versions: [] });
  });

  it.each([INFER, '/v2/models/duoguard/versions/double-1/infer'])('infers at %s', async (path) => {
    const response = await createAppUnderTest().app.request(path, post({ id: '42', ...infer(['calm', 'hateful']) }));
    expect(response.status).toBe(200);
    expect(response.headers.get('x-model-version')).toBe('double-1');
    expect(await response.json()).toStrictEqual({
      model_name: 'duoguard',
      model_version: 'double-1',
      id: '42',
      outputs: [
        { name: 'probabilities', datatype: 'FP32', shape: [2, 12], data: [...CALM, ...HATEFUL] },
        { name: 'flagged', datatype: 'BOOL', shape: [2], data: [false, true] },
      ],
    });
  });

  it('gives only the outputs that were asked for, and takes [n, 1] and nested data', async () => {
    const { app } = createAppUnderTest();
    const outputs = [{ name: 'flagged', parameters: { binary_data: false } }];
    for (const body of [infer(['a', 'hateful'], [2, 1]), infer([['a'], ['hateful']], [2, 1])]) {
      expect(await (await app.request(INFER, post({ ...body, outputs }))).json()).toStrictEqual({
        model_name: 'duoguard',
        model_version: 'double-1',
        outputs: [{ name: 'flagged', datatype: 'BOOL', shape: [2], data: [false, true] }],
      });
    }
  });

  it.each([
    ['no inputs', {}],
    ['two inputs', { inputs: [...infer(['a']).inputs, ...infer(['b']).inputs] }],
    ['another tensor', { inputs: [{ ...infer(['a']).inputs[0], name: 'ids' }] }],
    ['another datatype', { inputs: [{ ...infer(['a']).inputs[0], datatype: 'FP32' }] }],
    ['a shape that does not fit', infer(['a', 'b'], [3])],
    ['two columns', infer(['a', 'b'], [1, 2])],
    ['no text', infer([])],
    ['an empty text', infer([''])],
    ['a number', infer([1])],
    ['an unknown output', { ...infer(['a']), outputs: [{ name: 'logits' }] }],
    ['33 texts', infer(Array(33).fill('a'))],
    ['half a body', '{'],
  ])('answers 400 to %s', async (_, body) => {
    const response = await createAppUnderTest().app.request(INFER, post(body));
    expect(response.status).toBe(400);
    expect(await response.json()).toStrictEqual({ error: expect.any(String) });
  });

  it('never answers for another version', async () => {
    const path = '/v2/models/duoguard/versions/double-2/infer';
    const before = createClassifierDouble();
    expect((await createAppUnderTest({ classifier: before }).app.request(path, post(infer(['a'])))).status).toBe(400);
    expect(before.requests).toHaveLength(0);
    // It was the serving one when the request came, and another judged.
    const swapped = createAppUnderTest({
      checkpoint: () => ({
        id: 'double-2',
        created: '',
        thresholds: perCategory(() => 0.5),
        max_tokens: 128,
        languages: [],
      }),
    });
    expect((await swapped.app.request(path, post(infer(['a'])))).status).toBe(400);
  });

  it('leaves a checkpoint on trial out where a version is named', async () => {
    const classifier = createClassifierDouble();
    const { app } = createAppUnderTest({ classifier });
    await app.request('/v2/models/duoguard/versions/double-1/infer', post(infer(['a'])));
    await app.request(INFER, post(infer(['a'])));
    expect(classifier.requests.map(({ servingOnly }) => servingOnly)).toEqual([true, false]);
  });

  it('keeps the status of what is not the client’s mistake', async () => {
    const { app } = createAppUnderTest({ classifier: failing('overloaded') });
    const response = await app.request(INFER, post(infer(['a'])));
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await response.json()).toStrictEqual({ error: 'The queue is full.' });
    const keyed = createAppUnderTest({ apiKeys: ['key'] });
    expect((await keyed.app.request(INFER, post(infer(['a'])))).status).toBe(401);
  });

  it('keeps the version of the path out of the metrics', async () => {
    const { app, metrics } = createAppUnderTest();
    await app.request('/v2/models/duoguard/versions/some-version/infer', post(infer(['a'])));
    expect(await metrics.render()).not.toContain('some-version');
  });
});

describe('POST /v1/classify of vLLM', () => {
  const PATH = '/v1/classify';

  it('answers exactly what vLLM does', async () => {
    const { app } = createAppUnderTest();
    const response = await app.request(PATH, post({ model: 'any', input: ['calm', 'hateful'] }));
    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({
      id: expect.stringMatching(/^classify-[0-9a-f]{32}$/),
      object: 'list',
      created: expect.any(Number),
      model: 'duoguard',
      data: [
        { index: 0, label: 'violent_crimes', probs: CALM, num_classes: 12 },
        { index: 1, label: 'hate', probs: HATEFUL, num_classes: 12 },
      ],
      usage: { prompt_tokens: 14, total_tokens: 14, completion_tokens: 0, prompt_tokens_details: null },
    });
  });

  it('takes a string and a conversation', async () => {
    const classifier = createClassifierDouble();
    const { app } = createAppUnderTest({ classifier });
    await app.request(PATH, post({ input: 'a' }));
    await app.request(PATH, post({ messages: [{ role: 'user', content: 'b' }] }));
    expect(classifier.requests.map(({ items }) => items)).toEqual([
      ['a'],
      [{ messages: [{ role: 'user', content: 'b' }] }],
    ]);
  });

  it.each([
    ['nothing', {}, 'input'],
    ['token ids', { input: [1, 2, 3] }, 'input'],
    ['an empty text', { input: [''] }, 'input[0]'],
    ['a conversation without text', { messages: [{ role: 'user', content: '' }] }, 'messages'],
    ['33 texts', { input: Array(33).fill('a') }, 'input'],
  ])('answers 400 to %s', async (_, body, param) => {
    const response = await createAppUnderTest().app.request(PATH, post(body));
    expect(response.status).toBe(400);
    expect(await response.json()).toStrictEqual({
      error: { message: expect.any(String), type: 'BadRequestError', param, code: 400 },
    });
  });

  it('names other failures by their status', async () => {
    const { app } = createAppUnderTest({ classifier: failing('overloaded') });
    expect(await (await app.request(PATH, post({ input: 'a' }))).json()).toStrictEqual({
      error: { message: 'The queue is full.', type: 'Too Many Requests', param: null, code: 429 },
    });
  });
});

describe('POST /predict of text-embeddings-inference', () => {
  const PATH = '/predict';

  it('answers one list for one text, highest first', async () => {
    const response = await createAppUnderTest().app.request(PATH, post({ inputs: 'hateful', truncate: true }));
    expect(response.status).toBe(200);
    const predictions = (await response.json()) as unknown[];
    expect(predictions).toHaveLength(12);
    expect(predictions.slice(0, 3)).toStrictEqual([
      { score: 0.9, label: 'hate' },
      { score: 0.01, label: 'violent_crimes' },
      { score: 0.01, label: 'non_violent_crimes' },
    ]);
  });

  it.each([
    ['one text in an array', ['a'], ['a'], false],
    ['two strings, which are a pair', ['q', 'a'], [{ prompt: 'q', response: 'a' }], false],
    ['a batch', [['a'], ['q', 'b']], ['a', { prompt: 'q', response: 'b' }], true],
    ['a batch of one', [['a']], ['a'], true],
  ])('takes %s', async (_, inputs, items, batch) => {
    const classifier = createClassifierDouble();
    const response = await createAppUnderTest({ classifier }).app.request(PATH, post({ inputs }));
    expect(classifier.requests[0]?.items).toEqual(items);
    const answer = (await response.json()) as unknown[];
    expect(answer).toHaveLength(batch ? items.length : 12);
    expect(Array.isArray(answer[0])).toBe(batch);
  });

  it.each([
    ['nothing', {}],
    ['three strings', { inputs: ['a', 'b', 'c'] }],
    ['an empty array', { inputs: [] }],
    ['an empty text', { inputs: '' }],
    ['strings and arrays mixed', { inputs: [['a'], 'b'] }],
    ['raw scores', { inputs: 'a', raw_scores: true }],
    ['a batch of 33', { inputs: Array(33).fill(['a']) }],
  ])('refuses %s', async (_, body) => {
    const response = await createAppUnderTest().app.request(PATH, post(body));
    expect(response.status).toBe(422);
    expect(await response.json()).toStrictEqual({ error: expect.any(String), error_type: 'validation' });
  });

  it.each([
    ['overloaded', 429, 'overloaded'],
    ['not_ready', 503, 'unhealthy'],
    ['inference_failed', 500, 'backend'],
  ] as const)('answers %s with %i and the type %s', async (code, status, type) => {
    const { app } = createAppUnderTest({ classifier: failing(code) });
    const response = await app.request(PATH, post({ inputs: 'a' }));
    expect(response.status).toBe(status);
    expect(await response.json()).toStrictEqual({ error: expect.any(String), error_type: type });
  });
});
