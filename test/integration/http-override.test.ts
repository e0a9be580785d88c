import { expect, test } from 'vitest';
import { createAppUnderTest, errorOf, post } from '../support/app-under-test.ts';

const KEYS = {
  plain: 'key-without-scopes',
  bound: 'key-that-classifies',
  free: 'key-that-overrides',
};
const apiKeys = [KEYS.plain, `classify=${KEYS.bound}`, `classify+override=${KEYS.free}`];
const policies = { find: (name: string) => (name === 'nobody' ? undefined : {}), describe: () => [] };

function create(keys: readonly string[] = apiKeys) {
  const { app } = createAppUnderTest({ apiKeys: keys, policies });
  return async (path: string, body: unknown, key?: string) => {
    const type = path.includes('stream') ? { 'content-type': 'application/x-ndjson' } : {};
    const headers = { ...type, ...(key === undefined ? {} : { 'x-api-key': key }) };
    return app.request(path, post(body, headers));
  };
}

const guardrail = (policy: string) => ({
  input_type: 'request',
  texts: ['a'],
  additional_provider_specific_params: { policy },
});

test.each([
  ['/classify', { input: 'a', policy: 'lenient' }, 'policy'],
  ['/classify', { input: 'a', policy: 'nobody' }, 'policy'],
  ['/classify', { input: 'a', thresholds: { hate: 1 } }, 'thresholds'],
  ['/classify', { input: 'a', categories: ['hate'] }, 'categories'],
  ['/beta/litellm_basic_guardrail_api', guardrail('lenient'), 'policy'],
  ['/classify/stream?policy=lenient', { text: 'a' }, 'policy'],
  ['/classify/stream?thresholds={"hate":1}', { text: 'a' }, 'thresholds'],
])('%s %j needs the scope override', async (path, body, param) => {
  const send = create();
  const refused = await send(path, body, KEYS.bound);
  expect(refused.status).toBe(403);
  expect(await errorOf(refused)).toMatchObject({
    code: 'forbidden',
    param,
    message: `${param}: the API key does not have the scope override.`,
  });
  const unknown = JSON.stringify(body).includes('nobody');
  for (const key of [KEYS.plain, KEYS.free]) expect((await send(path, body, key)).status).toBe(unknown ? 422 : 200);
  expect((await create([])(path, body)).status).toBe(unknown ? 422 : 200);
});

test.each([
  ['/classify', { input: 'a' }],
  ['/classify', { input: 'a', policy: 'default', direction: 'output', language: 'de', explain: true }],
  ['/beta/litellm_basic_guardrail_api', guardrail('default')],
  ['/classify/stream?chunk_tokens=4&direction=input', { text: 'a' }],
])('%s %j does not', async (path, body) => {
  expect((await create()(path, body, KEYS.bound)).status).toBe(200);
});
