import type { Candidate, GameSeed, GenerationTask } from '../generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import { NearDuplicateIndex } from '../seeds-report/near-duplicates.ts';
import type { GameConfig } from './config.ts';
import type { GameRow, JudgedCandidate } from './contract.ts';
import { entropyWeights, taskEntropies } from './east.ts';
import { isFaithful } from './levels.ts';
import { isRefusal } from './refusals.ts';

/** Source name of kept candidates in the guardrail's corpus. */
export const SYNTHETIC = 'synthetic';

export interface FilterInput {
  readonly tasks: readonly GenerationTask[];
  readonly judged: readonly JudgedCandidate[];
  /** What was kept in earlier rounds. */
  readonly earlier: readonly GameRow[];
  readonly round: number;
  readonly limits: GameConfig['filter'];
  readonly selection: GameConfig['selection'];
  readonly seed: number;
  /** By task, whether the guardrail classifies the seed itself correctly; absent where that does not matter. */
  readonly known?: readonly boolean[] | undefined;
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
  /** Of seeds that the guardrail gets wrong themselves, where these are left out. */
  readonly unknown: number;
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
 * and not nearly what is there already; with `counterweight` also correctly classified ones, with `known` only of seeds
 * that the guardrail knows.
 */
export function filterCandidates(input: FilterInput): Filtered {
  const { tasks, judged, earlier, limits, selection, seed, round } = input;
  const left = {
    unfaithful: 0,
    refusals: 0,
    lengths: 0,
    classified: 0,
    unknown: 0,
    unanimous: 0,
    repeated: 0,
    surplus: 0,
  };
  const sound = judged.filter(({ task, candidate, rating }) => {
    const { seed: origin } = tasks[task]!;
    if (!isFaithful(rating)) left.unfaithful++;
    else if (isRefusal(candidate.text)) left.refusals++;
    else if (lengthDifference(candidate, origin) > limits.lengthDifference) left.lengths++;
    else return true;
    return false;
  });
  const wanted = selection === 'misclassified' ? sound.filter(({ level }) => level === 'chosen') : sound;
  left.classified = sound.length - wanted.length;
  const pool = wanted.filter(({ task }) => input.known?.[task] ?? true);
  left.unknown = wanted.length - pool.length;
  const entropies = taskEntropies(
    tasks.map((task) => task.seed.unsafe),
    judged,
  );
  const divided = input.east?.dropUnanimous ? pool.filter(({ task }) => entropies[task]! > 0) : pool;
  left.unanimous = pool.length - divided.length;
  const mixed = shuffle([...divided], seededRandom(derivedSeed(seed, 'order of candidates')));
  const distinct = withoutNearDuplicates(mixed, textsOf(earlier), limits.nearDuplicate);
  left.repeated = mixed.length - distinct.length;
  const within = withinLimits(distinct, limits);
  const kept =
    selection === 'misclassified'
      ? [...within, ...(limits.counterweight ? counterweight(within, sound, input) : [])]
      : withinQuotas(within, (lang) => input.quotas?.[lang] ?? misclassifiedOf(input, lang));
  left.surplus = Math.max(0, distinct.length - kept.length);
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

/** From what was rewritten of the seed. */
function lengthDifference({ text, seedLength }: Candidate, origin: GameSeed): number {
  return Math.abs(text.length - (seedLength ?? origin.text.length));
}

function textsOf(rows: readonly GameRow[]): string[] {
  return rows.map(({ text }) => text);
}

/** The first of those that are alike stays; what is like an earlier row goes. */
function withoutNearDuplicates(
  candidates: readonly JudgedCandidate[],
  present: readonly string[],
  threshold: number,
): readonly JudgedCandidate[] {
  const texts = [...present, ...candidates.map(({ candidate }) => candidate.text)];
  const gone = new Set<number>();
  for (const { first, second } of new NearDuplicateIndex(texts, threshold).pairs()) {
    if (second >= present.length && !gone.has(first)) gone.add(second);
  }
  return candidates.filter((_, index) => !gone.has(present.length + index));
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

/** Correctly classified candidates that make the labels of each language level, as far as there are any. */
function counterweight(
  kept: readonly JudgedCandidate[],
  sound: readonly JudgedCandidate[],
  { tasks, earlier, limits, known }: FilterInput,
): readonly JudgedCandidate[] {
  const isUnsafe = ({ task }: JudgedCandidate): boolean => tasks[task]!.seed.unsafe;
  const lacking = new Map<string, number>();
  for (const one of kept) {
    const { lang } = one.candidate;
    lacking.set(lang, (lacking.get(lang) ?? 0) + (isUnsafe(one) ? 1 : -1));
  }
  const lacks = (one: JudgedCandidate): boolean => {
    const surplus = lacking.get(one.candidate.lang) ?? 0;
    return isUnsafe(one) ? surplus < 0 : surplus > 0;
  };
  // Scores of correctly classified candidates: high for the uncertain safe ones, low for the uncertain unsafe ones.
  const certainty = (one: JudgedCandidate): number => (isUnsafe(one) ? one.score : -one.score);
  const candidates = sound
    .filter((one) => one.level === 'rejected' && lacks(one) && (known?.[one.task] ?? true))
    .toSorted((a, b) => certainty(a) - certainty(b));
  // Three times what is lacking leaves enough after duplicates and tasks that gave too many.
  const enough = withinQuotas(candidates, (lang) => 3 * Math.abs(lacking.get(lang) ?? 0));
  const present = [...textsOf(earlier), ...kept.map(({ candidate }) => candidate.text)];
  const distinct = withoutNearDuplicates(enough, present, limits.nearDuplicate);
  const within = withinLimits(distinct, { ...limits, most: distinct.length });
  return withinQuotas(within, (lang) => Math.abs(lacking.get(lang) ?? 0));
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
