import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readPages } from '../../src/http/pages.ts';
import { listen } from '../../src/http/server.ts';
import { createAppUnderTest } from '../support/app-under-test.ts';
import { launchChromium, openPage, skipWithoutChromium } from '../support/browser.ts';

const SHOTS = process.env['DUOGUARD_SHOTS'];

describe.skipIf(skipWithoutChromium())('/docs', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it.each([
    ['wide-light', 1280, 'light'],
    ['narrow-dark', 360, 'dark'],
  ] as const)('renders the description without any other host: %s', async (name, width, colorScheme) => {
    const under = createAppUnderTest({ pages: readPages(join(import.meta.dirname, '../../web')) });
    const server = await listen(under.app, '127.0.0.1', 0);
    onTestFinished(() => server.close(0));
    const url = `http://127.0.0.1:${server.port}/`;
    const options = { viewport: { width, height: 900 }, colorScheme };
    const { page, complaints, requested } = await openPage(browser, `${url}docs`, options);

    await page.getByText('Judge one or more inputs').click();
    await page.getByRole('link', { name: 'ClassifyRequest' }).click();
    const schema = page.locator('#schema-ClassifyRequest');
    expect(await schema.getAttribute('open')).toBe('');
    expect(await schema.textContent()).toContain('long_input optional "window" or "reject", default "window"');
    expect(await schema.textContent()).toContain('Conversation or PromptAndResponse');

    if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `docs-${name}.png`), fullPage: true });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(complaints).toEqual([]);
    expect(requested.filter((address) => !address.startsWith(url))).toEqual([]);
  });
});
