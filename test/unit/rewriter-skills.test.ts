import { describe, expect, it, onTestFinished } from 'vitest';
import type { Candidate, GenerationTask, PreferencePair } from '../../training/generator/contract.ts';
import { RewriterError } from '../../training/generator/rewriter/errors.ts';
import { createRewriter, type Rewriter } from '../../training/generator/rewriter/rewriter.ts';
import { asTranslated } from '../../training/generator/rewriter/supervision.ts';
import { toyEditSpace, toyTask } from '../support/toy-edit-space.ts';

const SAMPLING = { count: 8, temperature: 1, seed: 11 };
const FITTING = { learningRate: 3e-2, epochs: 60, batchSamples: 8, seed: 3 };

async function create(): Promise<Rewriter> {
  const rewriter = await createRewriter({
    createEditSpace: (task) => (task.lang === 'xx' ? undefined : toyEditSpace(task)),
    languages: () => ['fr', 'de'],
    config: { embedding: 8, hidden: 12, buckets: 400 },
    policy: null,
    threads: 1,
  });
  onTestFinished(() => rewriter.release());
  return rewriter;
}

/** No frame, no disguise, then these options of the words. */
const candidate = (task: GenerationTask, words: readonly number[]): Candidate => {
  const choices = [0, 0, ...words];
  const text = toyEditSpace(task).render(choices);
  return { seed: task.seed.id, lang: task.lang, text, logProbability: 0, choices };
};

const TASK = toyTask('the red code');
const score = async (rewriter: Rewriter, tasks: readonly GenerationTask[], own: readonly Candidate[]) =>
  Array.from(await rewriter.logProbabilities(tasks, own));

describe('the likelihood of candidates', () => {
  it('is what learning raises, over every decision', async () => {
    const rewriter = await create();
    const samples = [{ task: TASK, candidate: candidate(TASK, [1, 0, 2]) }];
    const log = async () => (await score(rewriter, [TASK], [samples[0]!.candidate]))[0]!;
    const before = await log();
    const still = await rewriter.learnLikelihood(samples, { ...FITTING, learningRate: 0, epochs: 1 });
    // Five slots, all of them decisions.
    expect(still).toEqual({ samples: 1, loss: expect.closeTo(-before / 5, 5) });
    const figures = await rewriter.learnLikelihood(samples, FITTING);
    expect(await log()).toBeGreaterThan(-0.5);
    expect(figures.loss).toBeLessThan(0.1);
    await expect(rewriter.learnLikelihood([], FITTING)).rejects.toThrow(RewriterError);
  });
});

describe('a misled policy', () => {
  const texts = ['the red code', 'code the red', 'red code the', 'the code', 'red the', 'code red'];
  const rare = (drawn: readonly (readonly Candidate[])[], parity: number) => {
    const own = drawn.flatMap((list) => list.filter((_, i) => i % 2 === parity));
    const words = own.flatMap(({ choices }) => choices.slice(2));
    return words.filter((choice) => choice === 1).length / words.length;
  };

  it('reads the wrong label and a corrupted seed, and still writes candidates of the task', async () => {
    const rewriter = await create();
    // In one language only the label can mislead. Unsafe texts take the rarer translation, safe ones the commoner.
    const samples = texts.flatMap((text) =>
      [true, false].map((unsafe) => {
        const task = toyTask(text, 'en', unsafe);
        return {
          task,
          candidate: candidate(
            task,
            text.split(' ').map(() => (unsafe ? 1 : 0)),
          ),
        };
      }),
    );
    await rewriter.learnLikelihood(samples, FITTING);
    const tasks = texts.map((text) => toyTask(text, 'en', true));
    const plain = await rewriter.generate(tasks, { ...SAMPLING, count: 40 });
    const misled = await rewriter.generate(tasks, { ...SAMPLING, count: 40, corrupted: true });
    expect(rare(plain, 1)).toBeGreaterThan(0.9);
    expect(rare(misled, 1)).toBeLessThan(0.5);
    expect(await rewriter.generate(tasks, { ...SAMPLING, count: 40, corrupted: true })).toEqual(misled);
    for (const [i, own] of misled.entries()) {
      const logs = await score(
        rewriter,
        own.map(() => tasks[i]!),
        own,
      );
      for (const [c, { logProbability }] of own.entries()) expect(logs[c]).toBeCloseTo(logProbability, 3);
    }
  });

  it('loses by a corrupted seed what it knew of its words', async () => {
    const rewriter = await create();
    // What stands after "red" takes the rarer translation, all other words the commoner.
    const wanted = (text: string) => text.split(' ').map((_, i, words) => Number(words[i - 1] === 'red'));
    const tasks = texts.map((text) => toyTask(text));
    const samples = tasks.map((task) => ({ task, candidate: candidate(task, wanted(task.seed.text)) }));
    await rewriter.learnLikelihood(samples, FITTING);
    const right = (drawn: readonly (readonly Candidate[])[]) => {
      const hits = drawn.flatMap((own, i) =>
        own.filter((_, c) => c % 2 === 0).map(({ choices }) => `${choices.slice(2)}` === `${wanted(texts[i]!)}`),
      );
      return hits.filter(Boolean).length / hits.length;
    };
    const options = { ...SAMPLING, count: 40 };
    const plain = right(await rewriter.generate(tasks, options));
    const misled = right(await rewriter.generate(tasks, { ...options, corrupted: true }));
    expect(plain).toBeGreaterThan(0.8);
    expect(misled).toBeLessThan(plain - 0.1);
  });
});

describe('rolling out', () => {
  it('keeps the prefix and draws the rest, with exact log p', async () => {
    const rewriter = await create();
    const cannot = toyTask('a', 'xx');
    const prefixes = [[[], [1, 0, 4], [0, 0, 1, 1, 1]], [[]]];
    const options = { temperature: 1, seed: 5 };
    const [own, none] = await rewriter.rollOut([TASK, cannot], prefixes, options);
    expect(none).toEqual([]);
    expect(own![1]!.choices.slice(0, 3)).toEqual([1, 0, 4]);
    expect(own![2]!.choices).toEqual([0, 0, 1, 1, 1]);
    expect(own![2]!.text).toBe('FRthe FRred FRcode');
    const logs = await score(rewriter, [TASK, TASK, TASK], own!);
    for (const [i, { logProbability }] of own!.entries()) expect(logs[i]).toBeCloseTo(logProbability, 4);
    expect(await rewriter.rollOut([TASK, cannot], prefixes, options)).toEqual([own, none]);
    await expect(rewriter.rollOut([TASK], [[[0, 0, 9]]], options)).rejects.toThrow(/does not fit/);
    await expect(rewriter.rollOut([TASK], [[[0, 0, 1, 1, 1, 1]]], options)).rejects.toThrow(/does not fit/);
  });
});

describe('learning while writing', () => {
  const pair: PreferencePair = { task: TASK, chosen: candidate(TASK, [1, 0, 0]), rejected: candidate(TASK, [0, 0, 1]) };

  it('keeps its first policy as the reference', async () => {
    const rewriter = await create();
    const sides = [pair.chosen, pair.rejected];
    const before = await score(rewriter, [TASK, TASK], sides);
    const learner = rewriter.learnOnline({ beta: 0.5, learningRate: 1e-2 });
    const first = await learner.step([pair]);
    expect(first).toMatchObject({ pairs: 1, loss: expect.closeTo(Math.LN2, 5), margin: expect.closeTo(0, 5) });
    const between = await score(rewriter, [TASK, TASK], sides);
    const second = await learner.step([pair]);
    const gain = 0.5 * (between[0]! - before[0]! - (between[1]! - before[1]!));
    expect(gain).toBeGreaterThan(0.01);
    expect(second.margin).toBeCloseTo(gain, 4);
    expect(second.loss).toBeCloseTo(Math.log1p(Math.exp(-gain)), 4);
    expect(learner.figures()).toMatchObject({ pairs: 2, margin: expect.closeTo(gain / 2, 4), accuracy: 0.5 });
    await expect(learner.step([])).rejects.toThrow(RewriterError);
  });

  it('compares only the choices between the slots of a pair', async () => {
    const rewriter = await create();
    const learner = rewriter.learnOnline({ beta: 0.5, learningRate: 1e-2 });
    // The two sides are alike in these slots and differ after them.
    const alike: PreferencePair = {
      task: TASK,
      chosen: candidate(TASK, [1, 0, 0]),
      rejected: candidate(TASK, [1, 0, 1]),
      slots: [0, 4],
    };
    for (let step = 0; step < 3; step++) expect((await learner.step([alike])).margin).toBeCloseTo(0, 6);
    const whole = rewriter.learnOnline({ beta: 0.5, learningRate: 1e-2 });
    const { slots: _, ...both } = alike;
    await whole.step([both]);
    expect((await whole.step([both])).margin).toBeGreaterThan(0.005);
  });
});

describe("STIC's objective", () => {
  it('is -log σ(β D) - α log π(chosen), of the whole sequence', async () => {
    const rewriter = await create();
    const rejected = candidate(TASK, [0, 0, 1]);
    const chosen = candidate(TASK, [1, 0, 0]);
    const [log] = await score(rewriter, [TASK], [chosen]);
    const options = { beta: 0.1, nllWeight: 1 / 4, learningRate: 0, epochs: 1, batchPairs: 4, seed: 1 };
    const learn = async (objective: 'rpo' | 'stic') =>
      (await rewriter.learn([{ task: TASK, chosen, rejected }], { ...options, objective })).loss;
    expect(await learn('stic')).toBeCloseTo(Math.LN2 - log! / 4, 4);
    expect(await learn('rpo')).toBeCloseTo(Math.LN2 - log! / 5 / 4, 4);
  });
});

describe('imitation of a human translation', () => {
  const space = toyEditSpace(TASK);

  it("replaces what translators decide and leaves frames, disguises and what the translation doesn't tell", () => {
    // A story, theFR, the disguised r3d, codeFR; the human wrote FRthe FRred and nothing for "code".
    expect(asTranslated(space, 'FRthe FRred', [1, 0, 0, 3, 0])).toEqual([1, 0, 1, 3, 0]);
    expect(asTranslated(space, 'FRthe FRred', [1, 0, 2, 0, 0])).toEqual([1, 0, 2, 1, 0]);
    expect(asTranslated(space, 'FRthe FRred', [0, 0, 1, 1, 4])).toBeUndefined();
    expect(asTranslated(space, 'quite another text', [0, 0, 1, 1, 4])).toBeUndefined();
  });

  it('gives candidates of the task with their log p', async () => {
    const rewriter = await create();
    const own = [candidate(TASK, [0, 0, 0]), candidate(TASK, [1, 1, 0]), candidate(toyTask('a', 'xx'), [])];
    const tasks = [TASK, TASK, toyTask('a', 'xx')];
    const [first, second, third] = await rewriter.imitate(tasks, own, ['FRthe FRred', 'FRthe FRred', 'b']);
    expect(first).toMatchObject({ choices: [0, 0, 1, 1, 0], text: 'FRthe FRred codeFR', seed: TASK.seed.id });
    expect((await score(rewriter, [TASK], [first!]))[0]).toBeCloseTo(first!.logProbability, 5);
    expect([second, third]).toEqual([undefined, undefined]);
  });
});

it('a policy that has learned nothing loses the lexicon with a corrupted seed', async () => {
  const rewriter = await create();
  const tasks = Array.from({ length: 20 }, (_, i) => toyTask(`all of these words ${i} stand here in order`));
  const rare = async (corrupted: boolean) => {
    const drawn = await rewriter.generate(tasks, { ...SAMPLING, count: 20, corrupted });
    const own = drawn.flatMap((list) => list.filter((_, i) => i % 2 === 0).flatMap(({ choices }) => choices.slice(2)));
    return own.filter((choice) => choice === 1).length / own.filter((choice) => choice < 2).length;
  };
  // Of two translations the lexicon gives the second 30 %.
  expect(await rare(false)).toBeCloseTo(0.3, 1);
  expect(await rare(true)).toBeGreaterThan(0.4);
});
