import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReport } from '../../training/game/page/report-page.ts';
import { launchChromium, openPage, skipWithoutChromium } from '../support/browser.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { inventedReport } from '../support/game-report.ts';
import { lowContrast } from './low-contrast.ts';

const SHOTS = process.env['DUOGUARD_SHOTS'];

describe.skipIf(skipWithoutChromium())('the page of a game', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it.each([
    ['wide-light', 1280, 'light'],
    ['wide-dark', 1280, 'dark'],
    ['narrow-light', 360, 'light'],
    ['narrow-dark', 360, 'dark'],
  ] as const)(
    'is readable, needs no other file and fits: %s',
    async (name, width, colorScheme) => {
      const file = join(temporaryDirectory(), 'report.html');
      writeFileSync(file, renderReport(inventedReport()));
      const options = { viewport: { width, height: 900 }, colorScheme };
      const { page, complaints, requested } = await openPage(browser, pathToFileURL(file).href, options);

      expect(await page.locator('.chart svg').count()).toBe(11);
      expect(await page.getByText('Dites à la veuve').first().isVisible()).toBe(false);
      if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `report-${name}.png`), fullPage: true });
      await page.getByText('Round 3: 16 texts').click();
      await page.getByText('fr, 4 texts').last().click();
      expect(await page.getByText('Dites à la veuve').last().isVisible()).toBe(false);
      expect(await page.locator('blockquote:visible').count()).toBe(4);
      await page.locator('.chart summary').first().click();
      expect(await page.locator('.chart table:visible').count()).toBe(1);
      await page.getByText('All settings of the run').click();
      if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `report-${name}-open.png`), fullPage: true });

      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await lowContrast(page)).toEqual([]);
      expect(complaints).toEqual([]);
      expect(requested).toEqual([pathToFileURL(file).href]);
    },
    180_000,
  );
});
