import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import { readPages } from '../../src/http/pages.ts';
import { listen } from '../../src/http/server.ts';
import type { ClassifyItem, DecisiveSpan, ItemVerdict } from '../../src/moderation/contract.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { createAppUnderTest } from '../support/app-under-test.ts';
import { launchChromium, openPage, skipWithoutChromium } from '../support/browser.ts';
import { type ClassifierDouble, createClassifierDouble, verdictFor } from '../support/classifier-double.ts';
import { lowContrast } from './low-contrast.ts';

const pages = readPages(join(import.meta.dirname, '../../web'));
/** A directory for pictures of the pages, for somebody to look at; none are taken without it. */
const SHOTS = process.env['DUOGUARD_SHOTS'];

describe.skipIf(skipWithoutChromium())('playground', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  async function serve(overrides: Parameters<typeof createAppUnderTest>[0] = {}) {
    const under = createAppUnderTest({ pages, ...overrides });
    const server = await listen(under.app, '127.0.0.1', 0);
    onTestFinished(() => server.close(0));
    return { ...under, url: `http://127.0.0.1:${server.port}/` };
  }

  it('judges what is typed, and shows scores, thresholds and verdict', async () => {
    const { url } = await serve();
    const { page, complaints, requested } = await openPage(browser, url);
    await page.getByLabel('Text', { exact: true }).last().fill('a hateful remark');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Flagged: Hate').waitFor();

    const rows = page.getByRole('list', { name: 'Scores by category' }).getByRole('listitem');
    expect(await rows.count()).toBe(CATEGORIES.length);
    expect(await rows.first().textContent()).toBe('Hate90%, threshold 50%, fires');
    expect(await rows.nth(1).textContent()).toBe('Violent crimes1.0%, threshold 50%');
    const shares = await rows.first().evaluate((row) => {
      const part = (name: string) => row.querySelector(name)?.getBoundingClientRect() as DOMRect;
      const { left, width } = part('.bar');
      const tick = part('.tick');
      return [part('.fill').width / width, (tick.left + tick.width / 2 - left) / width];
    });
    expect(shares[0]).toBeCloseTo(0.9, 2);
    expect(shares[1]).toBeCloseTo(0.5, 2);
    expect(await page.locator('#facts').textContent()).toContain('double-1');

    expect(complaints).toEqual([]);
    expect(requested.filter((address) => !address.startsWith(url))).toEqual([]);
  });

  it('works with the keyboard alone', async () => {
    const { url } = await serve();
    const { page } = await openPage(browser, url);
    const names: string[] = [];
    for (let stop = 0; stop < 8; stop++) {
      await page.keyboard.press('Tab');
      const name = await page.evaluate(() => {
        const { id, textContent, tagName } = document.activeElement as HTMLElement;
        return id || textContent || tagName;
      });
      names.push(name);
      if (name === 'text') break;
    }
    expect(names).toEqual(['Skip to the verdict', 'API', 'INPUT', 'text']);
    await page.keyboard.type('calm words');
    await page.keyboard.press('Control+Enter');
    await page.getByRole('status').getByText('Nothing flagged').waitFor();
  });

  it('judges a conversation and a response to a prompt', async () => {
    const { url, classifier } = await serve();
    const { page } = await openPage(browser, url);
    await page.getByLabel('Conversation').check();
    await page.getByLabel('Content of message 1').fill('hello');
    await page.getByRole('button', { name: 'Remove message 2' }).click();
    await page.getByRole('button', { name: 'Add a message' }).click();
    await page.getByLabel('Content of message 2').fill('something hateful');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Flagged: Hate').waitFor();

    await page.getByLabel('Prompt and response').check();
    await page.getByLabel(/^Prompt, /).fill('ask');
    await page.getByLabel(/^Response, /).fill('answer');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Nothing flagged').waitFor();

    expect((classifier as ClassifierDouble).requests.map(({ items }) => items)).toEqual([
      [
        {
          messages: [
            { role: 'user', content: 'hello' },
            { role: 'assistant', content: 'something hateful' },
          ],
        },
      ],
      [{ prompt: 'ask', response: 'answer' }],
    ]);
  });

  it('marks spans, counted in code points over the joined messages', async () => {
    const { url } = await serve({ classifier: withSpans([hateSpan(5, 9)]) });
    const { page } = await openPage(browser, url);
    await page.getByLabel('Conversation').check();
    // The span begins after three characters outside the basic plane, a line break and one letter.
    await page.getByLabel('Content of message 1').fill('😀😀😀');
    await page.getByLabel('Content of message 2').fill('a<i>b hateful');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Flagged: Hate').waitFor();
    expect(await page.locator('mark').allTextContents()).toEqual(['<i>b']);
    expect(await page.locator('#marked-text').textContent()).toContain('(Hate)');
  });

  it('says in words what is wrong', async () => {
    const { url, classifier } = await serve();
    const { page, complaints } = await openPage(browser, url);
    const judge = () => page.getByRole('button', { name: 'Judge' }).click();
    const alert = page.getByRole('alert');
    await judge();
    await alert.getByText('Write a text first.').waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('text');

    await page.locator('#text').fill('some text');
    const answers: [DuoguardError, string][] = [
      [
        new DuoguardError('overloaded', { details: { retryAfterSeconds: 3 } }),
        'The queue is full. Try again in 3 seconds.',
      ],
      [new DuoguardError('deadline_exceeded'), 'Try a shorter text'],
      [new DuoguardError('inference_failed'), 'The log of the server says more under the request id. (request '],
    ];
    for (const [error, words] of answers) {
      classifier.classify = () => Promise.reject(error);
      await judge();
      await alert.getByText(words).waitFor();
      expect(await page.locator('#verdict').isVisible()).toBe(false);
    }
    await page.context().setOffline(true);
    await judge();
    await alert.getByText('The server cannot be reached.').waitFor();
    expect(complaints).toEqual([]);
  });

  it('asks for a key when the server wants one', async () => {
    const { url } = await serve({ apiKeys: ['the-right-key'] });
    const { page } = await openPage(browser, url);
    await page.locator('#text').fill('calm');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByRole('alert').getByText('Enter an API key of this server.').waitFor();
    await page.getByLabel('API key').fill('the-right-key');
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Nothing flagged').waitFor();
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(
      'right-key',
    );
  });

  it('keeps its history in the browser, brings a text back and forgets on request', async () => {
    const { url } = await serve();
    const { page } = await openPage(browser, url);
    const past = page.locator('#history li');
    for (const text of ['first calm text', 'second hateful text']) {
      await page.locator('#text').fill(text);
      await page.getByRole('button', { name: 'Judge' }).click();
      await past.filter({ hasText: text }).waitFor();
    }
    await page.reload();
    expect(await past.locator('.judged').allTextContents()).toEqual(['Flagged', 'Not flagged']);
    await page.getByRole('button', { name: 'first calm text' }).click();
    expect(await page.locator('#text').inputValue()).toBe('first calm text');

    await page.getByText('Nothing flagged').waitFor();
    await page.getByRole('button', { name: 'Clear the history' }).click();
    expect(await past.count()).toBe(0);
    await page.getByLabel('Keep a history').uncheck();
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Nothing flagged').waitFor();
    expect(await page.evaluate(() => localStorage.getItem('duoguard.history'))).toBeNull();
  });

  it.each([
    ['wide light', 1280, 'light'],
    ['wide dark', 1280, 'dark'],
    ['narrow light', 360, 'light'],
    ['narrow dark', 360, 'dark'],
  ] as const)('fits and is legible: %s', async (name, width, colorScheme) => {
    const { url } = await serve({ classifier: withSpans([hateSpan(2, 9)]) });
    const { page } = await openPage(browser, url, { viewport: { width, height: 900 }, colorScheme });
    await page.locator('#text').fill(`a hateful remark, and ${'more '.repeat(30)}${'unbroken'.repeat(20)}`);
    await page.getByRole('button', { name: 'Judge' }).click();
    await page.getByText('Flagged: Hate').waitFor();
    await page.locator('#history li').waitFor();
    if (SHOTS !== undefined) {
      await page.screenshot({ path: join(SHOTS, `playground-${name.replace(' ', '-')}.png`), fullPage: true });
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await lowContrast(page)).toEqual([]);
  });
});

function hateSpan(start: number, end: number): DecisiveSpan {
  return { start, end, category: 'hate', score: 1, view: 'normalized', window: 0 };
}

/** Everything is flagged, with these spans. */
function withSpans(spans: readonly DecisiveSpan[]) {
  return createClassifierDouble(async (request) => {
    const items: ClassifyItem[] = request.items.map(() => 'hateful');
    const verdict = verdictFor({ ...request, items });
    return { ...verdict, results: verdict.results.map((result) => ({ ...(result as ItemVerdict), spans })) };
  });
}
