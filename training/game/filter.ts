import type { GenerationTask } from '../generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import { NearDuplicateIndex } from '../seeds-report/near-duplicates.ts';
import type { GameConfig } from './config.ts';
import type { GameRow, JudgedCandidate } from './contract.ts';
import { entropyWeights, taskEntropies } from './east.ts';
import { isFaithful } from './levels.ts';
import { isRefusal } from './refusals.ts';

/** Source name of kept candidates in the guardrail's corpus. */
const SYNTHETIC = 'synthetic';

export interface FilterInput {
  readonly tasks: readonly GenerationTask[];
  readonly judged: readonly JudgedCandidate[];
  /** What was kept in earlier rounds. */
  readonly earlier: readonly GameRow[];
  readonly round: number;
  readonly limits: GameConfig['filter'];
  readonly selection: GameConfig['selection'];
  readonly seed: number;
  /** Where rows are weighted. */
  readonly east?: GameConfig['east'] | undefined;
  /** Of a random selection: how many of a language are kept; where it is missing, as many as were misclassified. */
  readonly quotas?: Readonly<Record<string, number>> | undefined;
}

/** Why candidates were left out, in the order in which it is looked. */
export interface FilterCounts {
  readonly unfaithful: number;
  readonly refusals: number;
  readonly lengths: number;
  readonly classified: number;
  /** Of tasks whose candidates all fooled the guardrail, where these are dropped. */
  readonly unanimous: number;
  readonly repeated: number;
  readonly surplus: number;
}

export interface Filtered {
  readonly kept: readonly GameRow[];
  readonly left: FilterCounts;
}

/**
 * What of a round goes into the guardrail's training set: faithful, no refusal, of about the seed's length, misclassified
 * and not nearly what is there already.
 */
export function filterCandidates(input: FilterInput): Filtered {
  const { tasks, judged, earlier, limits, selection, seed, round } = input;
  const left = { unfaithful: 0, refusals: 0, lengths: 0, classified: 0, unanimous: 0, repeated: 0, surplus: 0 };
  const sound = judged.filter(({ task, candidate, rating }) => {
    const { seed: origin } = tasks[task]!;
    if (!isFaithful(origin.unsafe, rating)) left.unfaithful++;
    else if (isRefusal(candidate.text)) left.refusals++;
    else if (Math.abs(candidate.text.length - origin.text.length) > limits.lengthDifference) left.lengths++;
    else return true;
    return false;
  });
  const misclassified = sound.filter(({ level }) => level === 'chosen');
  const pool = selection === 'misclassified' ? misclassified : sound;
  left.classified = sound.length - pool.length;
  const entropies = taskEntropies(
    tasks.map((task) => task.seed.unsafe),
    judged,
  );
  const divided = input.east?.dropUnanimous ? pool.filter(({ task }) => entropies[task]! > 0) : pool;
  left.unanimous = pool.length - divided.length;
  const mixed = shuffle([...divided], seededRandom(derivedSeed(seed, 'order of candidates')));
  const distinct = withoutNearDuplicates(mixed, earlier, limits.nearDuplicate);
  left.repeated = mixed.length - distinct.length;
  const within = withinLimits(distinct, limits);
  const kept =
    selection === 'misclassified'
      ? within
      : withinQuotas(within, (lang) => input.quotas?.[lang] ?? misclassifiedOf(input, lang));
  left.surplus = distinct.length - kept.length;
  const rows = kept.map((one, index) => toRow(one, tasks[one.task]!, `${round}.${index}`, round));
  if (input.east === undefined) return { kept: rows, left };
  const weights = entropyWeights(
    kept.map(({ task }) => entropies[task]!),
    input.east.exponent,
  );
  return { kept: rows.map((row, index) => ({ ...row, weight: weights[index]! })), left };

  function misclassifiedOf(own: FilterInput, lang: string): number {
    return filterCandidates({ ...own, selection: 'misclassified' }).kept.filter((row) => row.lang === lang).length;
  }
}

/** The first of those that are alike stays; what is like an earlier row goes. */
function withoutNearDuplicates(
  candidates: readonly JudgedCandidate[],
  earlier: readonly GameRow[],
  threshold: number,
): readonly JudgedCandidate[] {
  const texts = [...earlier.map(({ text }) => text), ...candidates.map(({ candidate }) => candidate.text)];
  const gone = new Set<number>();
  for (const { first, second } of new NearDuplicateIndex(texts, threshold).pairs()) {
    if (second >= earlier.length && !gone.has(first)) gone.add(second);
  }
  return candidates.filter((_, index) => !gone.has(earlier.length + index));
}

function withinLimits(candidates: readonly JudgedCandidate[], { perTask, most }: GameConfig['filter']) {
  const counts = new Map<number, number>();
  return candidates
    .filter(({ task }) => {
      const count = (counts.get(task) ?? 0) + 1;
      counts.set(task, count);
      return count <= perTask;
    })
    .slice(0, most);
}

function withinQuotas(candidates: readonly JudgedCandidate[], quotaOf: (lang: string) => number) {
  const left = new Map<string, number>();
  return candidates.filter(({ candidate: { lang } }) => {
    const remaining = left.get(lang) ?? quotaOf(lang);
    left.set(lang, remaining - 1);
    return remaining > 0;
  });
}

function toRow({ candidate }: JudgedCandidate, { seed }: GenerationTask, number: string, round: number): GameRow {
  return {
    id: `${seed.id}>${number}`,
    text: candidate.text,
    lang: candidate.lang,
    unsafe: seed.unsafe,
    categories: seed.categories,
    source: SYNTHETIC,
    license: 'as their originals',
    round,
  };
}
