import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Of `CHROMIUM`, or the first one of the search path. */
function findChromium(): string | undefined {
  const candidates = [
    process.env['CHROMIUM'] ?? [],
    (process.env['PATH'] ?? '').split(delimiter).flatMap((directory) => NAMES.map((name) => join(directory, name))),
  ].flat();
  return candidates.find((path) => existsSync(path));
}

/** A missing browser skips its tests and says so; in CI they run and fail. */
export function skipWithoutChromium(): boolean {
  if (findChromium() !== undefined || process.env['CI'] !== undefined) return false;
  console.warn('Tests in a browser did not run: there is no chromium on the PATH, and CHROMIUM names none.');
  return true;
}

export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('there is no chromium on the PATH, and CHROMIUM names none');
  // Root may not use Chromium's sandbox; the only pages it opens are ours.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

export interface WatchedPage {
  readonly page: Page;
  /** What the browser refused or threw, violations of the content security policy among it. */
  readonly complaints: string[];
  /** Addresses of every request. */
  readonly requested: string[];
}

/** A page in a context of its own, closed when the test ends. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  const requested: string[] = [];
  page.on('console', (message) => {
    // A refused request is logged too; the test expects those it provokes.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(message.text());
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(url);
  return { page, complaints, requested };
}
