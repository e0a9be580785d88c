import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAudit } from '../../src/audit/audit.ts';
import { openAudit } from '../../src/audit/open-audit.ts';
import { createRunningDigest } from '../../src/audit/text-digest.ts';
import { DuoguardError } from '../../src/errors.ts';
import type { ClassifyItem } from '../../src/moderation/contract.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { loadLanguageDetector } from '../../src/text/language.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';

const KEY = 'a key of the audit';
const hmac = (text: string) => createHmac('sha256', KEY).update(text, 'utf8').digest('hex');

function createAudited(overrides: Parameters<typeof createAppUnderTest>[0] = {}) {
  const written: string[] = [];
  const audit = createAudit(KEY, { append: (line) => written.push(line) }, { now: () => new Date(0) });
  const under = createAppUnderTest({ audit, ...overrides });
  return { ...under, written, entries: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the audit log', () => {
  it('has a line for each text, from which the text can be proved and not read', async () => {
    const { classify, written, entries } = createAudited({ apiKeys: ['audited-key'] });
    const text = 'something hateful 😀';
    await classify({ input: ['calm', text] }, { 'x-api-key': 'audited-key', 'x-request-id': 'request-1' });
    expect(entries()).toHaveLength(2);
    expect(entries()[1]).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      request_id: 'request-1',
      route: '/classify',
      key: expect.stringMatching(/^[0-9a-f]{8}$/),
      checkpoint: 'double-1',
      policy: 'default',
      index: 1,
      hmac: hmac(text),
      length: 19,
      action: 'block',
      flagged: true,
      tokens: 7,
      windows: 1,
      scores: Object.fromEntries(CATEGORIES.map((id) => [id, id === 'hate' ? 0.9 : 0.01])),
    });
    expect(entries()[0]).toMatchObject({ index: 0, hmac: hmac('calm'), action: 'allow', flagged: false });
    expect(written.join()).not.toMatch(/calm|hateful|audited-key/);
  });

  it.each<[string, string, unknown, string]>([
    [
      '/classify',
      'a conversation',
      {
        input: {
          messages: [
            { role: 'user', content: 'a' },
            { role: 'assistant', content: 'b' },
          ],
        },
      },
      'a\nb',
    ],
    ['/classify', 'a pair', { input: { prompt: 'a', response: 'b' } }, 'a\nb'],
    ['/v1/moderations', 'the format of OpenAI', { input: 'a text' }, 'a text'],
    ['/predict', 'the format of TEI', { inputs: 'a text' }, 'a text'],
  ])('%s: %s', async (path, _, body, text) => {
    const { app, entries } = createAudited();
    expect((await app.request(path, post(body))).status).toBe(200);
    expect(entries()).toEqual([expect.objectContaining({ route: path, hmac: hmac(text), key: null })]);
  });

  it('has one line for a stream, of all its text', async () => {
    const { app, entries } = createAudited();
    const body = ['a calm beginning ', 'and a hateful ', 'end']
      .map((delta) => JSON.stringify({ text: delta }))
      .join('\n');
    const answer = await app.request('/classify/stream', {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    });
    expect(await answer.text()).toContain('done');
    await new Promise((resolve) => setImmediate(resolve));
    expect(entries()).toEqual([
      expect.objectContaining({
        route: '/classify/stream',
        hmac: hmac('a calm beginning and a hateful end'),
        length: 34,
        flagged: true,
      }),
    ]);
  });

  it.each(['stop', 'break'])(
    'says of a stream that ended early why, and what was judged until then: %s',
    async (how) => {
      let judged = 0;
      const classifier = createClassifierDouble((request) =>
        how === 'break' && judged++ > 0
          ? Promise.reject(new DuoguardError('inference_failed'))
          : Promise.resolve(verdictFor(request)),
      );
      const { app, entries } = createAudited({ classifier });
      let send: ReadableStreamDefaultController<Uint8Array> | undefined;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          send = controller;
        },
      });
      const delta = (text: string) => send?.enqueue(new TextEncoder().encode(text));
      delta('a hateful ');
      const answer = await app.request('/classify/stream?chunk_tokens=2&context_tokens=0', {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body,
        duplex: 'half',
      } as RequestInit);
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toContain('"verdict"');
      if (how === 'stop') await reader.cancel();
      else {
        delta('second part ');
        while (!(await reader.read()).done);
      }
      await new Promise((resolve) => setImmediate(resolve));
      const cut = how === 'stop' ? 'client_closed' : 'inference_failed';
      const text = how === 'stop' ? 'a hateful ' : 'a hateful second part ';
      expect(entries()).toEqual([expect.objectContaining({ cut, flagged: true, windows: 1, hmac: hmac(text) })]);
    },
  );

  it('names languages when somebody can tell them', async () => {
    const written: string[] = [];
    const detectLanguage = await loadLanguageDetector();
    const audit = createAudit(KEY, { append: (line) => written.push(line) }, { detectLanguage });
    const under = createAppUnderTest({ audit });
    await under.classify({ input: ['Das ist ein ganz gewöhnlicher deutscher Satz.', '12345'] });
    const stream = { 'content-type': 'text/plain' };
    await (
      await under.app.request('/classify/stream', post('Ceci est une phrase tout à fait normale.', stream))
    ).text();
    await new Promise((resolve) => setImmediate(resolve));
    await under.classify({ input: 'Das ist ein ganz gewöhnlicher deutscher Satz.', language: 'pt-BR' });
    expect(written.map((line) => JSON.parse(line).language)).toEqual(['de', null, 'fr', 'pt']);
  });

  it('names the code of an item that failed, and has nothing of a request that was refused', async () => {
    const classifier = createClassifierDouble(async (request) => ({
      ...verdictFor(request),
      results: [{ index: 0, error: { code: 'input_too_long', message: 'for the client' } }],
    }));
    const { classify, entries, written } = createAudited({ classifier });
    await classify({ input: 'a' });
    expect(entries()).toEqual([expect.objectContaining({ error: 'input_too_long', hmac: hmac('a'), length: 1 })]);
    expect(written.join()).not.toContain('for the client');
    await classify({ input: '' });
    await classify('not JSON');
    expect(entries()).toHaveLength(1);
  });

  it('gives pieces the digest of the whole, wherever they were cut', () => {
    const audit = createAudit(KEY, { append: () => {} });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(40)), (text, sizes) => {
        const digest = createRunningDigest(KEY);
        let rest = text;
        for (const size of sizes) {
          digest.update(rest.slice(0, size));
          rest = rest.slice(size);
        }
        digest.update(rest);
        expect(digest.end()).toEqual({ hmac: hmac(text), length: [...text].length });
        expect(audit.digest(text as ClassifyItem).hmac).toBe(hmac(text));
      }),
    );
  });

  it('is not opened without a key, or where it cannot be', async () => {
    const options = { maxBytes: 1024, maxFiles: 1, language: false, onError: () => {}, onLost: () => {} };
    expect((await openAudit({ ...options, path: undefined, key: KEY })).audit).toBeUndefined();
    const code = 'invalid_config';
    await expect(openAudit({ ...options, path: '/nowhere/at/all', key: undefined })).rejects.toMatchObject({ code });
    await expect(openAudit({ ...options, path: '/nowhere/at/all', key: KEY })).rejects.toMatchObject({ code });
  });
});
