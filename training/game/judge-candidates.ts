import type { Candidate, GenerationTask, OnProgress } from '../generator/contract.ts';
import type { JudgedCandidate, RateFidelity } from './contract.ts';
import type { Judge } from './judge.ts';
import { levelOf } from './levels.ts';

/** What the guardrail and the rating say of all candidates, task by task; `candidates[i]` are of `tasks[i]`. */
export async function judgeCandidates(
  judge: Judge,
  rate: RateFidelity,
  tasks: readonly GenerationTask[],
  candidates: readonly (readonly Candidate[])[],
  onProgress?: OnProgress,
): Promise<JudgedCandidate[]> {
  const list = candidates.flatMap((own, task) => own.map((candidate) => ({ task, candidate })));
  const judgements = await judge.judge(
    list.map(({ candidate }) => candidate.text),
    onProgress,
  );
  return list.map(({ task, candidate }, at) => {
    const own = tasks[task]!;
    const { score, flagged } = judgements[at]!;
    const { rating } = rate(own, candidate.text);
    return { task, candidate, score, flagged, rating, level: levelOf(own.seed.unsafe, { score, flagged }, rating) };
  });
}
