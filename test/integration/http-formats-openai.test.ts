import { describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import type { ItemVerdict } from '../../src/moderation/contract.ts';
import { type Category, perCategory } from '../../src/taxonomy.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';

const moderate = (under: ReturnType<typeof createAppUnderTest>, body: unknown, headers = {}) =>
  under.app.request('/v1/moderations', post(body, headers));

/** A classifier that finds exactly `fired`, with these probabilities. */
function finding(fired: Partial<Record<Category, number>>) {
  return createClassifierDouble(async (request) => {
    const verdict = verdictFor(request);
    const results = verdict.results.map((result) => ({
      ...(result as ItemVerdict),
      flagged: true,
      categories: perCategory((id) => fired[id] !== undefined),
      category_scores: perCategory((id) => fired[id] ?? 0.01),
    }));
    return { ...verdict, results };
  });
}

interface Moderation {
  readonly results: {
    readonly flagged: boolean;
    readonly categories: Record<string, boolean>;
    readonly category_scores: Record<string, number>;
    readonly category_applied_input_types: Record<string, string[]>;
  }[];
}

describe('POST /v1/moderations', () => {
  it('answers exactly what OpenAI does, with our categories after its own', async () => {
    const response = await moderate(createAppUnderTest(), { model: 'omni-moderation-latest', input: 'a hateful text' });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-model-version')).toBe('double-1');
    expect(await response.json()).toStrictEqual({
      id: expect.stringMatching(/^modr-[0-9a-f-]{36}$/),
      model: 'duoguard',
      results: [
        {
          flagged: true,
          categories: {
            harassment: false,
            'harassment/threatening': false,
            sexual: false,
            hate: true,
            'hate/threatening': false,
            illicit: false,
            'illicit/violent': false,
            'self-harm': false,
            'self-harm/intent': false,
            'self-harm/instructions': false,
            'sexual/minors': false,
            violence: false,
            'violence/graphic': false,
            violent_crimes: false,
            non_violent_crimes: false,
            sex_related_crimes: false,
            child_sexual_exploitation: false,
            specialized_advice: false,
            privacy: false,
            intellectual_property: false,
            indiscriminate_weapons: false,
            suicide_self_harm: false,
            sexual_content: false,
            jailbreak_prompts: false,
          },
          category_scores: {
            harassment: 0,
            'harassment/threatening': 0,
            sexual: 0.01,
            hate: 0.9,
            'hate/threatening': 0,
            illicit: 0.01,
            'illicit/violent': 0.01,
            'self-harm': 0.01,
            'self-harm/intent': 0,
            'self-harm/instructions': 0,
            'sexual/minors': 0.01,
            violence: 0.01,
            'violence/graphic': 0,
            violent_crimes: 0.01,
            non_violent_crimes: 0.01,
            sex_related_crimes: 0.01,
            child_sexual_exploitation: 0.01,
            specialized_advice: 0.01,
            privacy: 0.01,
            intellectual_property: 0.01,
            indiscriminate_weapons: 0.01,
            suicide_self_harm: 0.01,
            sexual_content: 0.01,
            jailbreak_prompts: 0.01,
          },
          category_applied_input_types: {
            harassment: [],
            'harassment/threatening': [],
            sexual: ['text'],
            hate: ['text'],
            'hate/threatening': [],
            illicit: ['text'],
            'illicit/violent': ['text'],
            'self-harm': ['text'],
            'self-harm/intent': [],
            'self-harm/instructions': [],
            'sexual/minors': ['text'],
            violence: ['text'],
            'violence/graphic': [],
            violent_crimes: ['text'],
            non_violent_crimes: ['text'],
            sex_related_crimes: ['text'],
            child_sexual_exploitation: ['text'],
            specialized_advice: ['text'],
            privacy: ['text'],
            intellectual_property: ['text'],
            indiscriminate_weapons: ['text'],
            suicide_self_harm: ['text'],
            sexual_content: ['text'],
            jailbreak_prompts: ['text'],
          },
        },
      ],
    });
  });

  it.each<[Category, string[]]>([
    ['violent_crimes', ['violence']],
    ['non_violent_crimes', ['illicit']],
    ['sex_related_crimes', ['illicit']],
    ['child_sexual_exploitation', ['sexual', 'sexual/minors']],
    ['indiscriminate_weapons', ['illicit', 'illicit/violent']],
    ['hate', ['hate']],
    ['suicide_self_harm', ['self-harm']],
    ['sexual_content', ['sexual']],
    ['jailbreak_prompts', []],
    ['privacy', []],
  ])('maps %s to %s', async (category, keys) => {
    const under = createAppUnderTest({ classifier: finding({ [category]: 0.8 }) });
    const [result] = ((await (await moderate(under, { input: 'a' })).json()) as Moderation).results;
    const expected = [...new Set([...keys, category])].sort();
    const fired = Object.entries(result?.categories ?? {}).filter(([, value]) => value);
    expect(fired.map(([key]) => key).sort()).toEqual(expected);
    for (const key of expected) expect(result?.category_scores[key]).toBe(0.8);
    expect(result?.flagged).toBe(true);
  });

  it('takes the highest score where several of our categories mean one key', async () => {
    const under = createAppUnderTest({ classifier: finding({ sexual_content: 0.6, child_sexual_exploitation: 0.7 }) });
    const [result] = ((await (await moderate(under, { input: 'a' })).json()) as Moderation).results;
    expect(result?.category_scores['sexual']).toBe(0.7);
  });

  it('gives one result for each string and one for all parts together', async () => {
    const classifier = createClassifierDouble();
    const under = createAppUnderTest({ classifier });
    const strings = (await (await moderate(under, { input: ['one', 'hateful'] })).json()) as Moderation;
    expect(strings.results.map(({ flagged }) => flagged)).toEqual([false, true]);
    const input = [
      { type: 'text', text: 'one' },
      { type: 'text', text: 'two' },
    ];
    const parts = (await (await moderate(under, { input })).json()) as Moderation;
    expect(parts.results).toHaveLength(1);
    expect(classifier.requests.map(({ items }) => items)).toEqual([['one', 'hateful'], ['one\ntwo']]);
  });

  it.each([
    ['no input', {}, 'input'],
    ['an empty text', { input: '' }, 'input[0]'],
    ['an empty array', { input: [] }, 'input'],
    ['a number', { input: 7 }, 'input'],
    ['an image', { input: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,' } }] }, 'input[0]'],
    ['text and part mixed', { input: [{ type: 'text', text: 'a' }, 'b'] }, 'input[1]'],
    ['another kind of part', { input: [{ type: 'audio' }] }, 'input[0].type'],
    ['33 strings', { input: Array(33).fill('a') }, 'input'],
  ])('answers 400 to %s', async (_, body, param) => {
    const response = await moderate(createAppUnderTest(), body);
    expect(response.status).toBe(400);
    expect(await response.json()).toStrictEqual({
      error: {
        message: expect.stringContaining(param),
        type: 'invalid_request_error',
        param,
        code: expect.stringMatching(/^(invalid_request|too_many_items)$/),
      },
    });
  });

  it('takes the key as the SDK sends it', async () => {
    const under = createAppUnderTest({ apiKeys: ['sk-test'] });
    expect((await moderate(under, { input: 'a' }, { authorization: 'Bearer sk-test' })).status).toBe(200);
    const refused = await moderate(under, { input: 'a' }, { authorization: 'Bearer sk-wrong' });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(await refused.json()).toStrictEqual({
      error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: 'invalid_api_key' },
    });
  });

  it.each([
    ['overloaded', 429, 'rate_limit_error'],
    ['not_ready', 503, 'server_error'],
    ['internal_error', 500, 'server_error'],
  ] as const)('answers %s with %i in its own shape', async (code, status, type) => {
    const classifier = createClassifierDouble(async () => {
      throw new DuoguardError(code);
    });
    const response = await moderate(createAppUnderTest({ classifier }), { input: 'a' });
    expect(response.status).toBe(status);
    expect(await response.json()).toStrictEqual({ error: { message: expect.any(String), type, param: null, code } });
  });

  it('fails as a whole when one item could not be judged', async () => {
    const classifier = createClassifierDouble(async (request) => ({
      ...verdictFor(request),
      results: [{ index: 0, error: { code: 'inference_failed', message: 'a text of the user' } }],
    }));
    const response = await moderate(createAppUnderTest({ classifier }), { input: 'a' });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('a text of the user');
  });

  it('answers another method in its own shape, and counts each request once', async () => {
    const under = createAppUnderTest();
    const response = await under.app.request('/v1/moderations');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param: null } });
    await moderate(under, { input: 'hateful' });
    const metrics = await under.metrics.render();
    expect(metrics).toContain('guardrail_http_requests_total{route="/v1/moderations",method="POST",code="200"} 1');
    expect(metrics).toContain('guardrail_decisions_total{policy="default",action="block"} 1');
  });
});
