import { LRUCache } from 'lru-cache';
import type { ClassifyItem, ClassifyRequest, Verdict } from '../moderation/contract.ts';
import type { PerCategory } from '../taxonomy.ts';
import { renderItem } from '../text/render.ts';
import type { Kind } from './entry.ts';

/** What feedback needs of an item that was judged a short while ago. */
export interface RecentItem {
  readonly text: string;
  readonly kind: Kind;
  readonly checkpoint: string;
  /** Undefined when the item could not be judged. */
  readonly scores: PerCategory<number> | undefined;
}

/** The memory from which an id alone becomes a text again: in this process only, bounded in number, size and time. */
export interface RecentTexts {
  remember(ids: readonly string[], request: Pick<ClassifyRequest, 'items' | 'direction'>, verdict: Verdict): void;
  /** All items of the request, or undefined when it is not known any more. */
  find(id: string): readonly RecentItem[] | undefined;
  /** Forgets everything. */
  close(): void;
}

/** UTF-16 units of all texts together, some 64 MB. */
const MOST_CHARACTERS = 33_554_432;

/** @param requests how many are kept, longest unused first out. */
export function createRecentTexts(requests: number, seconds: number): RecentTexts {
  // An answer and its request have one id each.
  const kept = new LRUCache<string, readonly RecentItem[]>({
    max: requests * 2,
    maxSize: MOST_CHARACTERS,
    ttl: seconds * 1000,
    ttlAutopurge: false,
    sizeCalculation: (items) => items.reduce((sum, { text }) => sum + text.length, 1),
  });
  // What is over must go although nobody asks for it.
  const purging = setInterval(() => kept.purgeStale(), Math.min(seconds * 1000, 60_000)).unref();
  return {
    remember(ids, { items, direction }, verdict) {
      const remembered = items.map((item, index): RecentItem => {
        const result = verdict.results[index];
        return {
          text: renderItem(item),
          kind: kindOf(item, direction),
          checkpoint: verdict.checkpoint,
          scores: result !== undefined && 'category_scores' in result ? result.category_scores : undefined,
        };
      });
      for (const id of ids) kept.set(id, remembered);
    },
    find: (id) => kept.get(id, { updateAgeOnGet: false }),
    close() {
      clearInterval(purging);
      kept.clear();
    },
  };
}

function kindOf(item: ClassifyItem, direction: ClassifyRequest['direction']): Kind {
  if (typeof item === 'string') return direction === 'output' ? 'response' : 'prompt';
  return 'messages' in item ? 'dialogue' : 'qa';
}
