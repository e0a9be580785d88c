import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openEmbedded } from '../../src/feedback/embedded.ts';
import type { Feedback } from '../../src/feedback/entry.ts';
import { createFeedbackService, type FeedbackServiceOptions } from '../../src/feedback/feedback-service.ts';

/** A file in a new directory that is removed when the test ends. */
export function embeddedPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'duoguard-feedback-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'state', 'feedback.db');
}

/** Closed when the test ends. `failures` are what the database failed with. */
export function startFeedback(options: Partial<FeedbackServiceOptions> = {}) {
  const failures: unknown[] = [];
  const path = embeddedPath();
  const service = createFeedbackService({
    open: (onEnd) => openEmbedded(path, onEnd),
    retentionDays: 0,
    maxRows: 0,
    onFailure: (error) => failures.push(error),
    onExpired: () => {},
    ...options,
  });
  onTestFinished(() => service.close());
  return { service, failures, path };
}

/** A text that was flagged and is harmless. */
export function feedbackFor(overrides: Partial<Feedback> = {}): Feedback {
  return {
    verdictId: null,
    item: 0,
    text: 'How do I kill a Python process?',
    kind: 'prompt',
    lang: 'en',
    unsafe: false,
    categories: [],
    checkpoint: null,
    scores: null,
    note: null,
    ...overrides,
  };
}
