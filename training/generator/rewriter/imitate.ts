import type { Candidate, GenerationTask } from '../contract.ts';
import { encodeSpace, FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import type { Policy } from './policy.ts';
import { asTranslated } from './supervision.ts';
import type { CreateEditSpace } from './traces.ts';

/** `candidates[i]` with the decisions that the translation `texts[i]` tells of; see `asTranslated`. */
export async function imitate(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  tasks: readonly GenerationTask[],
  candidates: readonly Candidate[],
  texts: readonly string[],
): Promise<readonly (Candidate | undefined)[]> {
  if (tasks.length !== candidates.length || tasks.length !== texts.length) {
    throw new RewriterError(`${candidates.length} candidates and ${texts.length} texts for ${tasks.length} tasks`);
  }
  const features = new FeatureList(policy.config.buckets);
  const imitated = tasks.map((task, i) => {
    const space = createEditSpace(task);
    const choices = space && asTranslated(space, texts[i]!, candidates[i]!.choices);
    return choices && { text: space.render(choices), choices, encoded: encodeSpace(space, features) };
  });
  const told = imitated.filter((one) => one !== undefined);
  const logs = await policy.logProbabilities(
    told.map(({ encoded, choices }) => ({ space: encoded, choices })),
    features,
  );
  let next = 0;
  return imitated.map(
    (one, i) => one && { ...candidates[i]!, text: one.text, choices: one.choices, logProbability: logs[next++]! },
  );
}
