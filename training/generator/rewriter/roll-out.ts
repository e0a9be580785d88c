import { derivedSeed, seededRandom } from '../../random.ts';
import type { Candidate, GenerationTask } from '../contract.ts';
import type { Prefix, RollOutOptions } from '../skills.ts';
import { candidateOf } from './edit-space.ts';
import { checkChoices, encodeSpace, FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import type { Policy } from './policy.ts';
import { Sampler } from './sampler.ts';
import type { CreateEditSpace } from './traces.ts';

/** Draws candidates whose first choices are given. Throws a `RewriterError` for a prefix that doesn't fit its task. */
export function rollOut(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  tasks: readonly GenerationTask[],
  prefixes: readonly (readonly Prefix[])[],
  { temperature, seed }: RollOutOptions,
): readonly (readonly Candidate[])[] {
  if (prefixes.length !== tasks.length) {
    throw new RewriterError(`${prefixes.length} lists of prefixes for ${tasks.length} tasks; each needs its own`);
  }
  const features = new FeatureList(policy.config.buckets);
  const prepared = tasks.map((task) => {
    const space = createEditSpace(task);
    return space && { space, encoded: encodeSpace(space, features) };
  });
  const sampler = new Sampler(policy, features);
  return prepared.map((item, index) => {
    if (item === undefined) return [];
    const { space, encoded } = item;
    const { seed: text, lang } = space.task;
    const random = seededRandom(derivedSeed(seed, `${text.id} ${lang}`));
    const draw = sampler.prepare(encoded, { temperature, guidance: 0 });
    return prefixes[index]!.map((prefix) => {
      const rest = Array.from({ length: Math.max(0, encoded.slots - prefix.length) }, () => 0);
      checkChoices(encoded, [...prefix, ...rest], text.id);
      const { choices, logProbability } = draw(random, prefix);
      return candidateOf(space, choices, logProbability);
    });
  });
}
