import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import { readPages } from '../../src/http/pages.ts';
import { listen } from '../../src/http/server.ts';
import { openPolicies } from '../../src/policy/policies.ts';
import { createAppUnderTest } from '../support/app-under-test.ts';
import { launchChromium, openPage, skipWithoutChromium } from '../support/browser.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { lowContrast } from './low-contrast.ts';

const pages = readPages(join(import.meta.dirname, '../../web'));
const SHOTS = process.env['DUOGUARD_SHOTS'];

/** Windows are let through one by one. */
function createGate() {
  const waiting: (() => void)[] = [];
  let open = false;
  return {
    pass: () => (open ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
    async letThrough(count: number) {
      for (let passed = 0; passed < count; ) {
        const next = waiting.shift();
        if (next === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
        else {
          next();
          passed++;
        }
      }
    },
    open() {
      open = true;
      for (const next of waiting.splice(0)) next();
    },
  };
}

function createPolicies() {
  const file = join(temporaryDirectory(), 'policies.yaml');
  writeFileSync(
    file,
    `version: 1
policies:
  forum:
    description: For a forum that is read by everybody.
    categories:
      hate: { threshold: 0.95, action: flag }
      privacy: { action: ignore }
`,
  );
  const policies = openPolicies({ file, onReload: () => {}, onFailure: () => {} });
  onTestFinished(policies.close);
  return policies;
}

describe.skipIf(skipWithoutChromium())('playground: policies and streams', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  async function serve(overrides: Parameters<typeof createAppUnderTest>[0] = {}) {
    const classifier = createClassifierDouble();
    const under = createAppUnderTest({ pages, classifier, ...overrides });
    const server = await listen(under.app, '127.0.0.1', 0);
    onTestFinished(() => server.close(0));
    return { ...under, classifier, url: `http://127.0.0.1:${server.port}/` };
  }

  async function openStream(url: string, text: string, options: Parameters<typeof openPage>[2] = {}) {
    const { page, complaints } = await openPage(browser, url, options);
    await page.getByLabel('Stream').check();
    await page.getByLabel(/^Text, sent/).fill(text);
    await page.getByLabel('New tokens per window').fill('2');
    await page.getByLabel('Tokens seen again').fill('0');
    return { page, complaints, judge: () => page.getByRole('button', { name: 'Judge' }).click() };
  }

  it('offers the policies of the server and judges by the chosen one', async () => {
    const { url, classifier } = await serve({ policies: createPolicies() });
    const { page, complaints } = await openPage(browser, url);
    const select = page.getByLabel('Policy');
    expect(await select.locator('option').allTextContents()).toEqual(['default', 'forum']);
    await select.selectOption('forum');
    await page.getByText('For a forum that is read by everybody.').waitFor();
    await page.locator('#text').fill('calm words');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Nothing flagged').waitFor();

    expect(classifier.requests.map(({ policy }) => policy)).toEqual(['forum']);
    const rows = page.getByRole('list', { name: 'Scores by category' }).getByRole('listitem');
    expect(await rows.filter({ hasText: 'Hate' }).textContent()).toBe('Hate1.0%, threshold 95%');
    expect(await rows.filter({ hasText: 'Privacy' }).textContent()).toBe('Privacy1.0%');
    expect(await page.locator('#facts').textContent()).toContain('Policyforum');
    expect(complaints).toEqual([]);
  });

  it('offers no choice where there is none, and asks again with a key', async () => {
    const plain = await serve();
    const { page } = await openPage(browser, plain.url);
    expect(await page.getByLabel('Policy').isVisible()).toBe(false);

    const locked = await serve({ policies: createPolicies(), apiKeys: ['the-right-key'] });
    const { page: other } = await openPage(browser, locked.url);
    await other.locator('#text').fill('calm');
    await other.getByRole('button', { name: 'Judge' }).click();
    await other.getByLabel('API key').fill('the-right-key');
    expect(await other.getByLabel('Policy').isVisible()).toBe(false);
    await other.getByRole('button', { name: 'Judge' }).click();
    await other.getByLabel('Policy').waitFor();
  });

  it('draws windows as they are judged', async () => {
    const gate = createGate();
    const classifier = createClassifierDouble(async (request) => {
      await gate.pass();
      return verdictFor(request);
    });
    const { url } = await serve({ classifier, policies: createPolicies() });
    const { page, complaints, judge } = await openStream(url, 'one two three hateful 😀 five <i>six');
    await page.getByLabel('Policy').selectOption('forum');
    await page.getByLabel('Tokens held back').fill('0');
    await judge();
    const windows = page.getByRole('list', { name: 'Windows' }).getByRole('listitem');
    await gate.letThrough(1);
    await windows.first().waitFor();
    expect(await windows.allTextContents()).toEqual(['characters 0 to 7nothing1.0%']);
    await page.getByRole('status').getByText('Nothing flagged so far').waitFor();
    expect(await page.locator('#streamed-text .waiting').textContent()).toBe(' three hateful 😀 five <i>six');
    await gate.letThrough(1);
    await page.getByRole('status').getByText('Flagged so far: Hate').waitFor();
    expect(await page.locator('#streamed-text mark').allTextContents()).toEqual([' three hateful']);
    gate.open();
    await page.getByRole('status').getByText('Flagged: Hate').waitFor();

    expect(await windows.allTextContents()).toEqual([
      'characters 0 to 7nothing1.0%',
      'characters 7 to 21Hate90%',
      'characters 21 to 28nothing1.0%',
      'characters 28 to 35nothing1.0%',
    ]);
    expect(await page.locator('#streamed-text').textContent()).toBe('one two three hateful 😀 five <i>six');
    const facts = await page.locator('#facts').textContent();
    expect(facts).toContain('Policyforum');
    expect(facts).toContain('Tokens28 in 4 windows');
    expect(facts).toContain('Released7 of 35 characters');
    expect(new Set(classifier.requests.map(({ policy }) => policy))).toEqual(new Set(['forum']));
    await page.locator('#history li').filter({ hasText: 'one two three' }).waitFor();
    expect(await page.getByRole('button', { name: 'Stop' }).isVisible()).toBe(false);
    expect(complaints).toEqual([]);
  });

  it.each(['button', 'Escape', 'first block'] as const)('can be stopped: %s', async (how) => {
    const gate = createGate();
    const classifier = createClassifierDouble(async (request) => {
      await gate.pass();
      request.signal.throwIfAborted();
      return verdictFor(request);
    });
    const { url, lines } = await serve({ classifier });
    const { page, judge } = await openStream(url, `hateful two ${'and more words '.repeat(40)}`);
    if (how === 'first block') await page.getByLabel('Stop at the first window').check();
    await judge();
    await gate.letThrough(1);
    if (how !== 'first block') await page.getByText('Flagged so far: Hate').waitFor();
    if (how === 'button') await page.getByRole('button', { name: 'Stop' }).click();
    if (how === 'Escape') await page.keyboard.press('Escape');
    await page.getByRole('status').getByText('Stopped. Flagged so far: Hate').waitFor();
    // Only then: before the server knows, it would judge on.
    await expect.poll(() => classifier.requests.at(-1)?.signal.aborted).toBe(true);
    gate.open();

    expect(await page.getByRole('list', { name: 'Windows' }).getByRole('listitem').count()).toBe(1);
    expect(await page.getByRole('button', { name: 'Stop' }).isVisible()).toBe(false);
    if (how === 'button') expect(await page.evaluate(() => document.activeElement?.id)).toBe('judge');
    await expect.poll(() => lines.some((line) => line.includes('client_closed'))).toBe(true);
    expect(classifier.requests.length).toBeLessThan(10);
    expect(await page.locator('#history li').count()).toBe(0);
  });

  it('judges while somebody types, and keeps no entry for each state', async () => {
    const { url } = await serve();
    const { page } = await openStream(url, 'calm ');
    await page.getByLabel('Judge again while I type').check();
    await page.locator('#stream-text').pressSequentially('words ');
    await page.getByRole('status').getByText('Nothing flagged').waitFor();
    await page.locator('#stream-text').pressSequentially('hateful ');
    await page.getByRole('status').getByText('Flagged: Hate').waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('stream-text');
    expect(await page.locator('#history li').count()).toBe(0);
  });

  it('says what is wrong, and leaves what was judged', async () => {
    let judged = 0;
    const classifier = createClassifierDouble((request) =>
      judged++ === 0 ? Promise.resolve(verdictFor(request)) : Promise.reject(new DuoguardError('inference_failed')),
    );
    const { url } = await serve({ classifier });
    const { page, complaints, judge } = await openStream(url, 'one two three four');
    await judge();
    await page.getByRole('alert').getByText('What was not judged by then was not judged.').waitFor();
    expect(await page.getByRole('list', { name: 'Windows' }).getByRole('listitem').count()).toBe(1);

    await page.getByLabel('New tokens per window').fill('100000');
    await judge();
    await page.getByRole('alert').getByText('chunk_tokens').waitFor();
    expect(await page.locator('#streamed').isVisible()).toBe(false);
    await page.locator('#stream-text').fill('');
    await judge();
    await page.getByRole('alert').getByText('Write a text first.').waitFor();
    expect(complaints).toEqual([]);
  });

  it.each([
    ['wide light', 1280, 'light'],
    ['wide dark', 1280, 'dark'],
    ['narrow light', 360, 'light'],
    ['narrow dark', 360, 'dark'],
  ] as const)('fits and is legible: %s', async (name, width, colorScheme) => {
    const { url } = await serve({ policies: createPolicies() });
    const text = `Some calm words, then a hateful remark, and ${'more of it '.repeat(20)}${'unbroken'.repeat(20)}`;
    const { page, judge } = await openStream(url, text, { viewport: { width, height: 900 }, colorScheme });
    await page.getByLabel('Policy').selectOption('forum');
    await page.getByLabel('New tokens per window').fill('4');
    await page.getByLabel('Tokens seen again').fill('2');
    await page.getByLabel('Tokens held back').fill('2');
    await judge();
    await page.getByText('Flagged: Hate').waitFor();
    await page.locator('#history li').waitFor();
    if (SHOTS !== undefined) {
      await page.screenshot({ path: join(SHOTS, `stream-${name.replace(' ', '-')}.png`), fullPage: true });
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await lowContrast(page)).toEqual([]);
  });
});
