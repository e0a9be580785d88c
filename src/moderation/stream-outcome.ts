import { CATEGORIES, type Category, perCategory } from '../taxonomy.ts';
import type { ItemFailure, ItemVerdict, StreamEvent, StreamVerdict, Timings, Verdict } from './contract.ts';
import { endWithin, lengthOf, type Segment, type StreamWindow, textOf } from './stream-windows.ts';

export interface JudgedWindow {
  readonly window: StreamWindow;
  readonly verdict: Verdict;
  /** A failure is one of which the policy says what to do. */
  readonly result: ItemVerdict | DecidedFailure;
}

export type DecidedFailure = ItemFailure & { readonly action: 'allow' | 'block' };

/** What the windows of one stream came to, in their order, and which of its text may go out. */
export class StreamOutcome {
  readonly #holdBack: number | undefined;
  readonly #flagged = new Set<Category>();
  /** Judged and allowed, not released yet. */
  #held: readonly Segment[] = [];
  #released = 0;
  #judged = 0;
  #failed = 0;
  #times: Verdict | undefined;
  /** Of the windows that could be judged. */
  #result: ItemVerdict | undefined;
  /** The worst of the others. */
  #failure: DecidedFailure | undefined;

  /** @param holdBack tokens; `undefined` when no text is to be released at all. */
  constructor(holdBack: number | undefined) {
    this.#holdBack = holdBack;
  }

  add({ window, verdict, result }: JudgedWindow): StreamEvent[] {
    const { index, start } = window;
    const end = start + lengthOf(window.chunk);
    const place = { index, start, end, context: start - lengthOf(window.context), checkpoint: verdict.checkpoint };
    this.#judged = end;
    this.#times = addTimes(this.#times, verdict);
    const events: StreamEvent[] = [];
    if ('error' in result) {
      this.#failed += 1;
      if (this.#failure?.action !== 'block') this.#failure = { ...result, index: 0 };
      events.push({ event: 'failure', ...place, error: result.error, action: result.action, soFar: this.#soFar() });
    } else {
      this.#result = worse(this.#result, result);
      events.push({ event: 'verdict', ...place, result, soFar: this.#soFar() });
      const categories = CATEGORIES.filter((category) => result.categories[category] && !this.#flagged.has(category));
      for (const category of categories) this.#flagged.add(category);
      if (categories.length > 0) events.push({ event: 'flag', index, start, end, categories });
    }
    if (this.#holdBack === undefined) return events;
    this.#held = [...this.#held, ...window.chunk];
    return [...events, ...this.#release(endWithin(this.#held, this.#holdBack))];
  }

  /** At least one window has been added. */
  finish(): StreamEvent[] {
    const released = this.#release([]);
    const counts = { codePoints: this.#judged, released: this.#released, failed: this.#failed };
    return [...released, { event: 'done', ...counts, verdict: this.#soFar() }];
  }

  #soFar(): StreamVerdict {
    const result = this.#result && (this.#failure?.action === 'block' ? blocked(this.#result) : this.#result);
    return {
      ...(this.#times as Verdict),
      results: [result ?? (this.#failure as DecidedFailure)],
      usage: { tokens: this.#result?.tokens ?? 0 },
    };
  }

  /** Everything held but `kept`, which is its end. What was judged and held when a window is blocked never goes out. */
  #release(kept: readonly Segment[]): StreamEvent[] {
    if (this.#result?.action === 'block' || this.#failure?.action === 'block') {
      this.#held = [];
      return [];
    }
    const text = textOf(this.#held.slice(0, this.#held.length - kept.length));
    this.#held = kept;
    if (text === '') return [];
    const start = this.#released;
    this.#released += Array.from(text).length;
    return [{ event: 'release', text, start, end: this.#released }];
  }
}

const STRENGTH = { allow: 0, flag: 1, block: 2 } as const satisfies Record<ItemVerdict['action'], number>;

function blocked(result: ItemVerdict): ItemVerdict {
  return { ...result, action: 'block' };
}

/** Maximum per category; tokens and windows add up. What else there is comes from the window with the higher score. */
function worse(before: ItemVerdict | undefined, next: ItemVerdict): ItemVerdict {
  if (before === undefined) return { ...next, index: 0 };
  const top = next.score > before.score ? next : before;
  const denied = before.denied_phrase ?? next.denied_phrase;
  return {
    ...top,
    index: 0,
    flagged: before.flagged || next.flagged,
    action: STRENGTH[next.action] > STRENGTH[before.action] ? next.action : before.action,
    ...(denied === undefined ? {} : { denied_phrase: denied }),
    categories: perCategory((id) => before.categories[id] || next.categories[id]),
    category_scores: perCategory((id) => Math.max(before.category_scores[id], next.category_scores[id])),
    tokens: before.tokens + next.tokens,
    windows: before.windows + next.windows,
  };
}

function addTimes(before: Verdict | undefined, next: Verdict): Verdict {
  if (before === undefined) return next;
  const sum = (stage: keyof Timings) => before.timing_ms[stage] + next.timing_ms[stage];
  return {
    ...next,
    timing_ms: {
      tokenization: sum('tokenization'),
      queue: sum('queue'),
      inference: sum('inference'),
      total: sum('total'),
    },
  };
}
