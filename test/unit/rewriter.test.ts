import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Candidate, GenerationTask, Generator, PreferencePair } from '../../training/generator/contract.ts';
import { PolicyFileError, RewriterError } from '../../training/generator/rewriter/errors.ts';
import { createRewriter, type RewriterOptions } from '../../training/generator/rewriter/rewriter.ts';
import { toyEditSpace, toyTask } from '../support/toy-edit-space.ts';

const CONFIG = { embedding: 8, hidden: 12, buckets: 400 };
const SAMPLING = { count: 8, temperature: 1, seed: 11 };
const LEARNING = { beta: 0.1, nllWeight: 0.4, learningRate: 5e-3, epochs: 1, batchPairs: 4, seed: 2 };

async function create(options: Partial<RewriterOptions> = {}): Promise<Generator> {
  const generator = await createRewriter({
    createEditSpace: toyEditSpace,
    languages: () => ['fr', 'de'],
    config: CONFIG,
    policy: null,
    threads: 1,
    ...options,
  });
  onTestFinished(() => generator.release());
  return generator;
}

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rewriter-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'policy.bin');
}

const TASKS = ['the red code', 'a secret 7', 'where do they go', 'hello there my friend', 'go on then'].map((text, i) =>
  toyTask(text, i % 2 === 0 ? 'fr' : 'de', i < 3),
);

/** A toy guardrail misses the words' rarer translations. */
function fools(task: GenerationTask, candidate: Candidate): boolean {
  return candidate.text.split(' ').some((word) => word.startsWith(task.lang.toUpperCase()));
}

function pairsOf(tasks: readonly GenerationTask[], drawn: readonly (readonly Candidate[])[]): PreferencePair[] {
  return tasks.flatMap((task, i) => {
    const chosen = drawn[i]!.find((candidate) => fools(task, candidate));
    const rejected = drawn[i]!.find((candidate) => !fools(task, candidate));
    return chosen && rejected ? [{ task, chosen, rejected }] : [];
  });
}

const success = (drawn: readonly (readonly Candidate[])[], tasks = TASKS): number =>
  drawn.reduce(
    (sum, list, i) => sum + list.filter((candidate) => fools(tasks[i]!, candidate)).length / list.length,
    0,
  ) / drawn.length;

describe('generate', () => {
  it('draws the same again, whatever tasks stand beside, and otherwise with another seed', async () => {
    const generator = await create();
    const drawn = await generator.generate(TASKS, SAMPLING);
    expect(await generator.generate(TASKS, SAMPLING)).toEqual(drawn);
    expect(await (await create()).generate(TASKS, SAMPLING)).toEqual(drawn);
    expect(await generator.generate(TASKS.slice(2), SAMPLING)).toEqual(drawn.slice(2));
    expect(await generator.generate(TASKS, { ...SAMPLING, seed: 12 })).not.toEqual(drawn);
    expect(drawn.map((list) => list.length)).toEqual([8, 8, 8, 8, 8]);
  });

  it('gives candidates with their text, task and log p', async () => {
    const generator = await create();
    const drawn = await generator.generate(TASKS, SAMPLING);
    for (const [i, list] of drawn.entries()) {
      const task = TASKS[i]!;
      for (const { seed, lang, text, choices } of list) {
        expect([seed, lang]).toEqual([task.seed.id, task.lang]);
        expect(text).toBe(toyEditSpace(task).render(choices));
      }
      const logs = await generator.logProbabilities(
        list.map(() => task),
        list,
      );
      for (const [c, { logProbability }] of list.entries()) expect(logs[c]).toBeCloseTo(logProbability, 4);
    }
  });

  it('gives nothing for a task that cannot be rewritten, and reports how far it is', async () => {
    const generator = await create({
      createEditSpace: (task) => (task.lang === 'de' ? undefined : toyEditSpace(task)),
    });
    const seen: string[] = [];
    const drawn = await generator.generate(TASKS, SAMPLING, (done, total) => seen.push(`${done}/${total}`));
    expect(drawn.map((list) => list.length)).toEqual([8, 0, 8, 0, 8]);
    expect(seen.at(-1)).toBe('5/5');
  });

  it.each([{ temperature: -1 }, { temperature: Number.NaN }, { guidance: -0.5 }])('refuses %j', async (wrong) => {
    const generator = await create();
    await expect(generator.generate(TASKS, { ...SAMPLING, ...wrong })).rejects.toThrow(RewriterError);
  });
});

describe('learn', () => {
  it('raises the chosen candidates over the rejected ones', async () => {
    const generator = await create();
    const pairs = pairsOf(TASKS, await generator.generate(TASKS, { ...SAMPLING, count: 40 }));
    expect(pairs).toHaveLength(TASKS.length);
    const tasks = pairs.map(({ task }) => task);
    const score = async () => ({
      chosen: await generator.logProbabilities(
        tasks,
        pairs.map(({ chosen }) => chosen),
      ),
      rejected: await generator.logProbabilities(
        tasks,
        pairs.map(({ rejected }) => rejected),
      ),
    });
    const before = await score();
    const figures = await generator.learn(pairs, { ...LEARNING, epochs: 6 });
    const after = await score();
    for (const i of pairs.keys()) {
      expect(after.chosen[i]).toBeGreaterThan(before.chosen[i]!);
      expect(after.chosen[i]! - before.chosen[i]!).toBeGreaterThan(after.rejected[i]! - before.rejected[i]!);
    }
    expect(figures).toMatchObject({ pairs: pairs.length, accuracy: 1 });
    expect(figures.margin).toBeGreaterThan(0);
  });

  it('learns in a few rounds what fools a toy guardrail, and new seeds profit', async () => {
    const generator = await create();
    const fresh = ['what a night', 'tell me more 2', 'look over here'].map((text) => toyTask(text));
    const options = { ...SAMPLING, count: 100 };
    const before = success(await generator.generate(fresh, options), fresh);
    for (let round = 0; round < 6; round++) {
      const pairs = pairsOf(TASKS, await generator.generate(TASKS, { ...SAMPLING, seed: round, count: 16 }));
      // No rejected side is left where everything fools it.
      if (pairs.length > 0) await generator.learn(pairs, { ...LEARNING, learningRate: 2e-2, epochs: 4 });
    }
    const after = success(await generator.generate(fresh, options), fresh);
    expect(before).toBeLessThan(0.75);
    expect(after).toBeGreaterThan(0.9);
  });

  it('learns by accelerated SGD too, at the learning rates of SGD', async () => {
    const generator = await create();
    const pairs = pairsOf(TASKS, await generator.generate(TASKS, { ...SAMPLING, count: 40 }));
    const options = { ...LEARNING, optimizer: 'asgd', learningRate: 2e-2, epochs: 6 } as const;
    const figures = await generator.learn(pairs, options);
    expect(figures).toMatchObject({ pairs: pairs.length, accuracy: 1 });
    expect(figures.margin).toBeGreaterThan(0);
    const adamw = await create();
    expect(await adamw.learn(pairs, { ...options, optimizer: 'adamw' })).not.toEqual(figures);
  });

  it('reports how far the policy has moved from its reference', async () => {
    const drift = async (learningRate: number) => {
      const generator = await create();
      const pairs = pairsOf(TASKS, await generator.generate(TASKS, { ...SAMPLING, count: 40 }));
      return (await generator.learn(pairs, { ...LEARNING, learningRate, epochs: 4 })).drift;
    };
    expect(await drift(0)).toBeCloseTo(0, 5);
    expect(Math.abs(await drift(3e-2))).toBeGreaterThan(0.05);
  });

  it('ends with the same policy each time', async () => {
    const files = [temporaryFile(), temporaryFile()];
    for (const file of files) {
      const generator = await create({ threads: 2 });
      const pairs = pairsOf(TASKS, await generator.generate(TASKS, { ...SAMPLING, count: 40 }));
      await generator.learn(pairs, { ...LEARNING, epochs: 3 });
      generator.save(file);
    }
    expect(readFileSync(files[0]!).equals(readFileSync(files[1]!))).toBe(true);
  });

  it('refuses no pairs and candidates of another space', async () => {
    const generator = await create();
    await expect(generator.learn([], LEARNING)).rejects.toThrow(RewriterError);
    const [task] = TASKS as [GenerationTask];
    const [[candidate]] = (await generator.generate([task], SAMPLING)) as [[Candidate]];
    for (const choices of [candidate.choices.slice(1), candidate.choices.with(0, 9), candidate.choices.with(1, 0.5)]) {
      const rejected = { ...candidate, choices };
      await expect(generator.learn([{ task, chosen: candidate, rejected }], LEARNING)).rejects.toThrow(
        /toy the red code does not fit/,
      );
    }
    await expect(generator.logProbabilities([task], [])).rejects.toThrow(RewriterError);
  });
});

describe('a saved policy', () => {
  it('is restored to the bit and goes on alike', async () => {
    const file = temporaryFile();
    const first = await create();
    const pairs = pairsOf(TASKS, await first.generate(TASKS, { ...SAMPLING, count: 40 }));
    await first.learn(pairs, LEARNING);
    first.save(file);
    const second = await create({ policy: file, seed: 99 });
    expect(await second.generate(TASKS, SAMPLING)).toEqual(await first.generate(TASKS, SAMPLING));
    expect(await second.learn(pairs, LEARNING)).toEqual(await first.learn(pairs, LEARNING));
    const files = [temporaryFile(), temporaryFile()] as const;
    first.save(files[0]);
    second.save(files[1]);
    expect(readFileSync(files[0]).equals(readFileSync(files[1]))).toBe(true);
  });

  it('is refused, and the policy kept, when it is missing, cut, changed, something else or of another shape', async () => {
    const file = temporaryFile();
    const generator = await create();
    const before = await generator.generate(TASKS, SAMPLING);
    expect(() => generator.restore(file)).toThrow(PolicyFileError);
    generator.save(file);
    const bytes = readFileSync(file);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 100]! ^= 1;
    for (const [wrong, message] of [
      [bytes.subarray(0, -9), /damaged/],
      [flipped, /damaged/],
      [Buffer.from('{"not": "a policy"}'), /not a policy/],
      [Buffer.alloc(0), /not a policy/],
    ] as const) {
      writeFileSync(file, wrong);
      expect(() => generator.restore(file)).toThrow(message);
      expect(() => generator.restore(file)).toThrow(file);
    }
    writeFileSync(file, bytes);
    await expect(create({ config: { ...CONFIG, hidden: 16 }, policy: file })).rejects.toThrow(/another shape/);
    expect(await generator.generate(TASKS, SAMPLING)).toEqual(before);
  });
});

describe('the shipped rewriter', () => {
  it('plays at once: its policy loads, writes in other languages and leaves alone what no lexicon leads to', async () => {
    const generator = await createRewriter({ threads: 1 });
    onTestFinished(() => generator.release());
    expect(generator.languages('en')).toEqual(expect.arrayContaining(['en', 'fr', 'es', 'de']));
    const text = 'Can you tell me where the station is?';
    const tasks = ['fr', 'en', 'xx'].map((lang) => toyTask(text, lang, false));
    const [french, english, none] = await generator.generate(tasks, { ...SAMPLING, temperature: 0.9 });
    expect(french).toHaveLength(8);
    expect(french!.filter((candidate) => /gare/i.test(candidate.text)).length).toBeGreaterThan(3);
    expect(english!.filter((candidate) => /station/i.test(candidate.text)).length).toBeGreaterThan(3);
    expect(none).toEqual([]);
  });
});
