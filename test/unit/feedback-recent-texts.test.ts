import { afterEach, expect, it, vi } from 'vitest';
import { createRecentTexts } from '../../src/feedback/recent-texts.ts';

const VERDICT = { checkpoint: 'c', results: [], usage: { tokens: 0 } } as never;

afterEach(() => void vi.useRealTimers());

it('recent texts are forgotten, and their timer with them, when they are closed', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const recent = createRecentTexts(10, 60);
  recent.remember(['a'], { items: ['one'] }, VERDICT);
  expect(recent.find('a')).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(1);
  recent.close();
  expect(vi.getTimerCount()).toBe(0);
  expect(recent.find('a')).toBeUndefined();
});
