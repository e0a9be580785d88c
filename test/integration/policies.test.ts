import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import { createClassifier } from '../../src/moderation/classify.ts';
import { openPolicies } from '../../src/policy/policies.ts';
import { createAppUnderTest, errorOf, post } from '../support/app-under-test.ts';
import { createFixtureCheckpoint, FIXTURE_LOAD_OPTIONS, temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { NOT_A_NUMBER_SIGN, signOf } from '../support/fixture-model.ts';

const FILE = {
  version: 1,
  policies: {
    watch: { default_action: 'flag', categories: { privacy: { action: 'block', direction: 'output' } } },
    bands: {
      severity: { medium: 0.8, high: 0.95 },
      phrases: { deny: ['Project Falcon'], allow: ['exempt code'] },
    },
    lenient: { categories: { hate: { threshold: 1 } } },
    open: { on_failure: 'open' },
    closed: { on_failure: 'closed' },
    german: { languages: ['de'], default_action: 'flag', phrases: { deny: ['verboten'] }, on_failure: 'open' },
    mixed: {
      categories: {
        hate: { action: 'flag', by_language: { de: { action: 'block' }, fr: { threshold: 1 } } },
        privacy: { languages: ['de', 'fr'] },
      },
    },
  },
};

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await loadCheckpoint(await createFixtureCheckpoint(), FIXTURE_LOAD_OPTIONS);
});
afterAll(() => checkpoint.close());

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing) close();
});

function createServer(content: object = FILE) {
  const file = join(temporaryDirectory(), 'policies.json');
  const write = (next: object) => writeFileSync(file, JSON.stringify(next, null, 2));
  write(content);
  const onFailure = vi.fn();
  const policies = openPolicies({ file, onReload: () => {}, onFailure, intervalMs: 10 });
  closing.push(policies.close);
  const classifier = createClassifier({ registry: createRegistry(checkpoint), policies });
  const { app, metrics } = createAppUnderTest({ classifier, policies });
  const send = (path: string, body: unknown, headers = {}) => app.request(path, post(body, headers));
  return {
    file,
    write,
    onFailure,
    metrics,
    app,
    send,
    async classify(body: object) {
      const response = await send('/classify', body);
      return { status: response.status, ...((await response.json()) as { policy: string; results: unknown[] }) };
    },
    async names() {
      const body = (await (await app.request('/v1/policies')).json()) as { policies: { name: string }[] };
      return body.policies.map(({ name }) => name);
    },
    async guard(policy: string, text: string, type: 'request' | 'response' = 'request') {
      const params = { input_type: type, texts: [text], additional_provider_specific_params: { policy } };
      return (await send('/beta/litellm_basic_guardrail_api', params)).json();
    },
  };
}

test('the policy of the request decides, the request overrides it, and the answer and the metrics name it', async () => {
  const { classify, metrics } = createServer();
  const input = signOf('hate');
  expect(await classify({ input })).toMatchObject({ policy: 'default', results: [{ action: 'block' }] });
  expect(await classify({ input, policy: 'watch' })).toMatchObject({
    policy: 'watch',
    results: [{ flagged: true, action: 'flag', categories: { hate: true } }],
  });
  expect(await classify({ input, policy: 'lenient' })).toMatchObject({ results: [{ flagged: false }] });
  const thresholds = { hate: 0.5 };
  expect(await classify({ input, policy: 'lenient', thresholds })).toMatchObject({ results: [{ flagged: true }] });
  const rendered = await metrics.render();
  expect(rendered).toContain('guardrail_decisions_total{policy="watch",action="flag"} 1');
  expect(rendered).toContain('guardrail_category_flags_total{category="hate",policy="watch"} 1');
});

test.each([
  ['/classify', { input: 'a', policy: 'nobody' }],
  [
    '/beta/litellm_basic_guardrail_api',
    { input_type: 'request', texts: ['a'], additional_provider_specific_params: { policy: 'nobody' } },
  ],
  ['/classify/stream?policy=nobody', {}],
])('%s refuses an unknown policy, naming the field and not the value, and counts it for none', async (path, body) => {
  const { send, metrics } = createServer();
  const response = await send(path, body, path.includes('stream') ? { 'content-type': 'application/x-ndjson' } : {});
  expect(response.status).toBe(422);
  const error = await errorOf(response);
  expect(error).toMatchObject({ code: 'invalid_request', param: 'policy', message: 'policy: is not known.' });
  expect(await metrics.render()).not.toContain('nobody');
});

test('the classifier refuses a policy that went between the check and its turn', async () => {
  const classifier = createClassifier({ registry: createRegistry(checkpoint) });
  const { signal } = new AbortController();
  await expect(
    classifier.classify({ items: ['a'], longInput: 'window', policy: 'gone', signal }),
  ).rejects.toMatchObject({
    code: 'invalid_request',
    details: { field: 'policy' },
  });
});

test('a changed file serves at once; a broken or missing one changes nothing', async () => {
  const { write, file, names, classify, onFailure } = createServer();
  expect(await names()).toEqual(['default', ...Object.keys(FILE.policies)]);
  write({ version: 1, policies: { fresh: { default_action: 'ignore' } } });
  await vi.waitFor(async () => expect(await names()).toEqual(['default', 'fresh']));
  const input = signOf('hate');
  expect(await classify({ input, policy: 'fresh' })).toMatchObject({ results: [{ flagged: false, action: 'allow' }] });
  expect((await classify({ input, policy: 'watch' })).status).toBe(422);

  write({ version: 1, policies: { fresh: { default_action: 'explode' } } });
  await vi.waitFor(() => expect(onFailure).toHaveBeenCalledTimes(1));
  expect(String(onFailure.mock.calls[0]?.[0])).toContain(`${file}:5: policies.fresh.default_action: `);
  rmSync(file);
  await vi.waitFor(() => expect(onFailure).toHaveBeenCalledTimes(2));
  expect(await classify({ input, policy: 'fresh' })).toMatchObject({ status: 200, results: [{ flagged: false }] });
});

test('a category of one direction counts there only', async () => {
  const { classify, guard } = createServer();
  const input = signOf('privacy');
  const policy = 'watch';
  const found = async (body: object) => (await classify({ policy, ...body })).results[0];
  expect(await found({ input })).toMatchObject({ flagged: false, action: 'allow' });
  expect(await found({ input, direction: 'output' })).toMatchObject({ flagged: true, action: 'block' });
  expect(await found({ input: { prompt: 'a', response: input } })).toMatchObject({ action: 'block' });
  expect(await guard(policy, input, 'request')).toEqual({ action: 'NONE' });
  expect(await guard(policy, input, 'response')).toMatchObject({ action: 'BLOCKED' });
});

test('a gateway is told to block only what the policy blocks', async () => {
  const { guard } = createServer();
  expect(await guard('watch', signOf('hate'))).toEqual({ action: 'NONE' });
  expect(await guard('bands', signOf('hate'))).toEqual({
    action: 'BLOCKED',
    blocked_reason: 'Blocked by duoguard: hate',
  });
  expect(await guard('bands', 'about project falcon')).toEqual({
    action: 'BLOCKED',
    blocked_reason: 'Blocked by duoguard: denied phrase',
  });
});

test.each([
  'about PROJECT  Falcon.',
  'about p\u200broject fal\u200bcon',
  'about \uff50roject falcon',
  'about p r o j e c t  f a l c o n',
])('a denied phrase blocks, also in disguise: %s', async (input) => {
  const { classify } = createServer();
  const denied = { flagged: true, action: 'block', severity: 'high', denied_phrase: 0 };
  expect(await classify({ input, policy: 'bands' })).toMatchObject({ results: [denied] });
  expect(await classify({ input: 'projects falconry', policy: 'bands' })).toMatchObject({
    results: [{ flagged: false, action: 'allow', severity: 'none' }],
  });
});

test('an allowed phrase is not judged, what stands around it is, and a denied one beside it still blocks', async () => {
  const { classify } = createServer();
  const allowed = `run exempt ${signOf('hate')} code now`;
  const judge = async (input: string) => (await classify({ input, policy: 'bands' })).results[0];
  expect(await classify({ input: allowed })).toMatchObject({ results: [{ flagged: true }] });
  expect(await judge(allowed)).toMatchObject({ flagged: false, action: 'allow' });
  expect(await judge('exempt code')).toMatchObject({ flagged: false, tokens: 0 });
  expect(await judge(`${allowed} ${signOf('hate')}`)).toMatchObject({ flagged: true, top_category: 'hate' });
  expect(await judge(`${allowed} project falcon`)).toMatchObject({ action: 'block', denied_phrase: 0 });
});

test.each([
  ['open', 'allow', { action: 'NONE' }],
  ['closed', 'block', { action: 'BLOCKED', blocked_reason: 'Blocked by duoguard: could not be judged' }],
])('fail-%s: a text that cannot be judged gets %s', async (policy, action, guarded) => {
  const { classify, guard } = createServer();
  const failed = { index: 0, action, error: { code: 'inference_failed' } };
  expect(await classify({ input: NOT_A_NUMBER_SIGN, policy })).toMatchObject({ status: 200, results: [failed] });
  expect(await guard(policy, NOT_A_NUMBER_SIGN)).toEqual(guarded);
  expect((await classify({ input: NOT_A_NUMBER_SIGN })).status).toBe(500);
});

const IN = {
  de: 'Der Hund des Nachbarn bellt die ganze Nacht und niemand kann schlafen',
  en: 'The dog of my neighbour barks all night long and nobody can sleep',
  fr: 'Le chien de mon voisin aboie toute la nuit et personne ne peut dormir',
};

test('a policy for some languages judges those, and default the others', async () => {
  const { classify } = createServer();
  const judge = async (input: string, more = {}) => (await classify({ input, policy: 'german', ...more })).results[0];
  expect(await judge(`${IN.de} ${signOf('hate')}`)).toMatchObject({ action: 'flag', language: 'de' });
  expect(await judge(`${IN.en} ${signOf('hate')}`)).toMatchObject({ action: 'block', language: 'en' });
  expect(await judge(`${IN.de} verboten`)).toMatchObject({ action: 'block', denied_phrase: 0 });
  expect(await judge(`${IN.fr} verboten`)).toMatchObject({ action: 'allow', language: 'fr' });
  // What nobody can tell is judged by the policy that was asked for, and says so by naming no language.
  const untold = await judge(signOf('hate'));
  expect(untold).toMatchObject({ action: 'flag' });
  expect(untold).not.toHaveProperty('language');
  // Whoever asks knows better.
  expect(await judge(`${IN.en} ${signOf('hate')}`, { language: 'de-AT' })).toMatchObject({
    action: 'flag',
    language: 'de',
  });
  expect(await classify({ input: 'a', language: 'German, I think' })).toMatchObject({ status: 422 });
  const both = await classify({
    input: [`${IN.de} ${signOf('hate')}`, `${IN.en} ${signOf('hate')}`],
    policy: 'german',
  });
  expect(both.results).toMatchObject([{ action: 'flag' }, { action: 'block' }]);
});

test('a rule for some languages counts there only, and another threshold or action there', async () => {
  const { classify } = createServer();
  const judge = async (input: string) => (await classify({ input, policy: 'mixed' })).results[0];
  expect(await judge(`${IN.en} ${signOf('hate')}`)).toMatchObject({ action: 'flag' });
  expect(await judge(`${IN.de} ${signOf('hate')}`)).toMatchObject({ action: 'block' });
  expect(await judge(`${IN.fr} ${signOf('hate')}`)).toMatchObject({ action: 'allow', flagged: false });
  expect(await judge(`${IN.fr} ${signOf('privacy')}`)).toMatchObject({ action: 'block' });
  expect(await judge(`${IN.en} ${signOf('privacy')}`)).toMatchObject({ action: 'allow', flagged: false });
  expect(await judge(signOf('privacy'))).toMatchObject({ action: 'block' });
});

test('a text that cannot be judged follows the policy of its language', async () => {
  const { classify } = createServer();
  const input = [`${IN.de} ${NOT_A_NUMBER_SIGN}`, `${IN.en} ${NOT_A_NUMBER_SIGN}`];
  expect(await classify({ input: input[0], policy: 'german' })).toMatchObject({ results: [{ action: 'allow' }] });
  expect((await classify({ input: input[1], policy: 'german' })).status).toBe(500);
});

test('no language is told where no rule asks for it', async () => {
  const { classify } = createServer();
  expect((await classify({ input: IN.de, language: 'de' })).results[0]).not.toHaveProperty('language');
});
