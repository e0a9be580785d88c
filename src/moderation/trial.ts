import { createHash } from 'node:crypto';
import { DuoguardError, type ErrorCode } from '../errors.ts';
import { CATEGORIES, type Category } from '../taxonomy.ts';
import type { Classifier, ClassifyRequest, Verdict } from './contract.ts';
import type { TrialFigures } from './trial-rule.ts';

/**
 *   shadow   serving answers; of a share, the candidate judges a copy afterwards
 *   canary   of a share, the candidate answers and serving judges a copy afterwards; where the candidate fails, serving
 *            answers after all
 */
export interface Trial {
  readonly id: string;
  readonly kind: 'shadow' | 'canary';
  /** Of the requests, 0 to 1. */
  readonly share: number;
  readonly candidate: Classifier;
  figures: TrialFigures;
}

export interface TrialOptions {
  readonly serving: Classifier;
  /** Asked for each request. */
  readonly trial: () => Trial | undefined;
  /** One item was judged by both; the categories in which they differ. */
  readonly compared: (disagreements: readonly Category[]) => void;
  /** The figures of this trial have changed. */
  readonly changed: (trial: Trial) => void;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** Copies that are judged at the same time; what comes while they are is not copied, so that copies never pile up. */
const MOST_COPIES = 4;
/** A copy has nobody who waits for it. */
const COPY_TIMEOUT_MS = 10_000;

/** Failures of the checkpoint; all others would happen with any, or are about the request. */
const CANDIDATE_FAULTS: readonly ErrorCode[] = ['internal_error', 'inference_failed', 'worker_crashed', 'overloaded'];

export function createTrialClassifier({
  serving,
  trial: currentTrial,
  compared,
  changed,
  random = Math.random,
}: TrialOptions): Classifier {
  let copies = 0;

  /** Nobody waits for it, and what it fails with is a finding, never an error of a request. */
  function judgeCopy(trial: Trial, request: ClassifyRequest, verdict: Verdict): void {
    if (copies >= MOST_COPIES) return;
    copies++;
    const other = trial.kind === 'shadow' ? trial.candidate : serving;
    const signal = AbortSignal.timeout(COPY_TIMEOUT_MS);
    setImmediate(() => {
      void judgeBoth(trial, other.classify({ ...request, explain: false, signal }), verdict).finally(() => copies--);
    });
  }

  async function judgeBoth(trial: Trial, copy: Promise<Verdict>, verdict: Verdict): Promise<void> {
    try {
      const other = await copy;
      if (trial.kind === 'shadow') requireNoFault(other);
      const [candidate, served] = trial.kind === 'shadow' ? [other, verdict] : [verdict, other];
      for (const categories of disagreements(served, candidate)) {
        add(trial, { compared: 1, disagreed: categories.length > 0 ? 1 : 0 });
        compared(categories);
      }
      add(trial, { candidateMs: candidate.timing_ms.inference, servingMs: served.timing_ms.inference });
      if (trial.kind === 'shadow') add(trial, { requests: 1 });
    } catch (error) {
      // A shadow's failure is a finding; a copy that the serving checkpoint could not judge is only not compared.
      if (trial.kind === 'shadow' && isFault(error)) add(trial, { requests: 1, errors: 1 });
    }
    changed(trial);
  }

  async function classifyAsCanary(trial: Trial, request: ClassifyRequest): Promise<Verdict> {
    try {
      const verdict = await trial.candidate.classify(request);
      requireNoFault(verdict);
      add(trial, { requests: 1 });
      judgeCopy(trial, request, verdict);
      return verdict;
    } catch (error) {
      // `shutting_down` is the candidate's own: the trial ended between the choice and the lease.
      const ended = error instanceof DuoguardError && error.code === 'shutting_down';
      if (!ended && !isFault(error)) throw error;
      if (!ended) {
        add(trial, { requests: 1, errors: 1 });
        changed(trial);
      }
      return serving.classify(request);
    }
  }

  return {
    async classify(request) {
      const trial = currentTrial();
      if (trial === undefined || request.servingOnly) return serving.classify(request);
      const chosen = inShare(trial, request.routingKey, random);
      if (chosen && trial.kind === 'canary') return classifyAsCanary(trial, request);
      const verdict = await serving.classify(request);
      if (chosen) judgeCopy(trial, request, verdict);
      return verdict;
    },
  };
}

/** With a key the same every time, and other keys for the next candidate: nobody is always the first to try. */
function inShare({ id, share }: Trial, key: string | undefined, random: () => number): boolean {
  if (key === undefined) return random() < share;
  const digest = createHash('sha256').update(`${id}\n${key}`).digest();
  return digest.readUInt32BE() / 2 ** 32 < share;
}

function add(trial: Trial, more: Partial<TrialFigures>): void {
  const sums = Object.entries(trial.figures).map(([key, sum]) => [key, sum + (more[key as keyof TrialFigures] ?? 0)]);
  trial.figures = Object.fromEntries(sums) as TrialFigures;
}

/** Per item that both judged: the categories in which they differ. */
function disagreements(served: Verdict, candidate: Verdict): Category[][] {
  return served.results.flatMap((one, index) => {
    const other = candidate.results[index];
    if (other === undefined || 'error' in one || 'error' in other) return [];
    return [CATEGORIES.filter((id) => one.categories[id] !== other.categories[id])];
  });
}

/** A policy that fails open or closed decides about a text that nobody can judge: the other checkpoint can. */
function requireNoFault({ results }: Verdict): void {
  for (const result of results) {
    const fault = 'error' in result && CANDIDATE_FAULTS.find((code) => code === result.error.code);
    if (fault) throw new DuoguardError(fault);
  }
}

function isFault(error: unknown): boolean {
  return !(error instanceof DuoguardError) || CANDIDATE_FAULTS.includes(error.code);
}

export const NO_FIGURES: TrialFigures = {
  requests: 0,
  errors: 0,
  compared: 0,
  disagreed: 0,
  candidateMs: 0,
  servingMs: 0,
};
