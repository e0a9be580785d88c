import { CATEGORIES, type Category, perCategory } from '../taxonomy.ts';
import type { ItemVerdict, StreamEvent, StreamVerdict, Timings, Verdict } from './contract.ts';
import { endWithin, lengthOf, type Segment, type StreamWindow, textOf } from './stream-windows.ts';

export interface JudgedWindow {
  readonly window: StreamWindow;
  readonly verdict: Verdict;
  readonly result: ItemVerdict;
}

type Total = Omit<JudgedWindow, 'window'>;

/** What the windows of one stream came to, in their order, and which of its text may go out. */
export class StreamOutcome {
  readonly #holdBack: number | undefined;
  readonly #flagged = new Set<Category>();
  /** Judged and allowed, not released yet. */
  #held: readonly Segment[] = [];
  #released = 0;
  #judged = 0;
  #total: Total | undefined;

  /** @param holdBack tokens; `undefined` when no text is to be released at all. */
  constructor(holdBack: number | undefined) {
    this.#holdBack = holdBack;
  }

  add({ window, verdict, result }: JudgedWindow): StreamEvent[] {
    const { index, start } = window;
    const end = start + lengthOf(window.chunk);
    const context = start - lengthOf(window.context);
    this.#judged = end;
    this.#total = { verdict: addTimes(this.#total?.verdict, verdict), result: worse(this.#total?.result, result) };
    const events: StreamEvent[] = [
      { event: 'verdict', index, start, end, context, checkpoint: verdict.checkpoint, result, soFar: this.#soFar() },
    ];
    const categories = CATEGORIES.filter((category) => result.categories[category] && !this.#flagged.has(category));
    for (const category of categories) this.#flagged.add(category);
    if (categories.length > 0) events.push({ event: 'flag', index, start, end, categories });
    if (this.#holdBack === undefined) return events;
    this.#held = [...this.#held, ...window.chunk];
    return [...events, ...this.#release(endWithin(this.#held, this.#holdBack))];
  }

  /** At least one window has been added. */
  finish(): StreamEvent[] {
    const released = this.#release([]);
    return [...released, { event: 'done', codePoints: this.#judged, released: this.#released, verdict: this.#soFar() }];
  }

  #soFar(): StreamVerdict {
    const { verdict, result } = this.#total as Total;
    return { ...verdict, results: [result], usage: { tokens: result.tokens } };
  }

  /** Everything held but `kept`, which is its end. What was judged and held when a window is blocked never goes out. */
  #release(kept: readonly Segment[]): StreamEvent[] {
    if (this.#total?.result.action === 'block') {
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

/** The checkpoint is that of the later window. */
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
