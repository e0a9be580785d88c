import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GameConfig, gameConfigSchema } from '../../training/game/config.ts';
import type { JudgedCandidate, Level } from '../../training/game/contract.ts';
import type { Game } from '../../training/game/game.ts';
import { requireSkills } from '../../training/game/require-skill.ts';
import { RunDirectory } from '../../training/game/run-directory.ts';
import { drawTranslations, spin, spinOptions } from '../../training/game/spin.ts';
import { StopHead, stopFeatures } from '../../training/game/stop-head.ts';
import { filteredOutput, hardTasks } from '../../training/game/supervised-restart.ts';
import { type ChunkWriting, writeInChunks } from '../../training/game/write-in-chunks.ts';
import type { Candidate, GenerationTask, PreferencePair } from '../../training/generator/contract.ts';
import { createRewriter, type Rewriter } from '../../training/generator/rewriter/rewriter.ts';
import type { TranslationPair } from '../../training/generator/rewriter/translations.ts';
import { toyEditSpace, toyTask } from '../support/toy-edit-space.ts';
import { createToyGenerator } from '../support/toy-game.ts';

const config = (changes: object = {}): GameConfig => gameConfigSchema.parse(changes);

describe('settings of techniques', () => {
  it('leave all of them off', () => {
    expect(config()).toMatchObject({
      warmup: 'none',
      negatives: 'judged',
      schedule: 'dpo',
      pairs: { mode: 'round' },
      attack: { guidance: 0 },
    });
  });

  it('allow one way of pairing at a time', () => {
    expect(config({ warmup: 'spin', attack: { guidance: 0.7 }, schedule: 'sft-rl' }).schedule).toBe('sft-rl');
    expect(() => config({ negatives: 'corrupted', schedule: 'sft-rl' })).toThrow(/only one of/);
    expect(() => config({ negatives: 'corrupted', pairs: { mode: 'online' } })).toThrow(/only one of/);
  });

  it.each([
    [{ warmup: 'spin' }, /toy cannot imitate, which warmup spin needs/],
    [{ schedule: 'sft-rl' }, /toy cannot learnLikelihood, which schedule sft-rl needs/],
    [{ pairs: { mode: 'online' } }, /toy cannot rollOut, which pairs.mode online needs/],
  ])('%j needs a generator that can', (changes, message) => {
    expect(() => requireSkills(createToyGenerator(), config(changes))).toThrow(message);
    expect(() => requireSkills(createToyGenerator(), config())).not.toThrow();
  });
});

describe('the stop head', () => {
  it('learns by DPO, as worked by hand', () => {
    const head = new StopHead([-1, 2, 0.5]);
    const node = stopFeatures([0, 3, 0], 6);
    expect(node).toEqual([1, 0.5, 1 / 3]);
    // w · x = -1 + 1 + 1/6
    expect(head.probability(node)).toBeCloseTo(1 / (1 + Math.exp(-1 / 6)), 12);
    const options = { beta: 2, learningRate: 0.5 };
    // Against itself the margin is 0, the loss ln 2 and the step ±β σ(0) η x = ±0.5 x.
    expect(head.learn(node, true, options)).toBeCloseTo(Math.LN2, 12);
    expect(head.weights[0]).toBeCloseTo(-0.5, 12);
    expect(head.weights[1]).toBeCloseTo(2.25, 12);
    // Now (w - w_ref) · x = 0.5 (1 + 1/4 + 1/9) = 0.680556, so going on has the margin -2 * 0.680556.
    expect(head.learn(node, false, options)).toBeCloseTo(Math.log1p(Math.exp(2 * 0.680556)), 5);
    expect(head.weights[0]).toBeCloseTo(-0.5 - 2 * 0.5 * (1 / (1 + Math.exp(-2 * 0.680556))), 5);
  });
});

/** Eight slots; a rewriting fools the guardrail if its choices sum to an even number. */
const SLOTS = 8;
const levelOf = ({ choices }: Candidate): Level =>
  choices.reduce((a, b) => a + b, 0) % 2 === 0 ? 'chosen' : 'rejected';

function chunkWriting(changes: Partial<ChunkWriting> = {}) {
  const steps: (readonly PreferencePair[])[] = [];
  const rolled: (readonly (readonly number[])[])[] = [];
  let drawn = 0;
  const options: ChunkWriting = {
    tasks: ['a', 'b', 'c'].map((text) => toyTask(text)),
    rollOut: async (tasks, prefixes) =>
      tasks.map(({ seed, lang }, i) => {
        rolled.push(prefixes[i]!);
        return prefixes[i]!.map((prefix) => {
          const rest = Array.from({ length: SLOTS - prefix.length }, () => (drawn++ * 7) % 3);
          return { seed: seed.id, lang, text: '', logProbability: 0, choices: [...prefix, ...rest] };
        });
      }),
    judge: async (_, candidates) => candidates.flat().map(levelOf),
    learner: {
      step: async (pairs) => {
        steps.push(pairs);
        return { pairs: pairs.length, loss: 0, accuracy: 0, margin: 0, drift: 0 };
      },
      figures: () => ({ pairs: 0, loss: 0, accuracy: 0, margin: 0, drift: 0 }),
    },
    // Never stops.
    stopHead: new StopHead([-99, 0, 0]),
    settings: { ...config().pairs.online, chunk: 3, mostChunks: 6, batchPairs: 2 },
    unfaithfulRejected: true,
    temperature: 1,
    seed: 3,
    ...changes,
  };
  return { options, steps, rolled };
}

describe('writing in chunks', () => {
  it('pairs what differs in outcome, within its chunk, after the same beginning, and learns it at once', async () => {
    const { options, steps, rolled } = chunkWriting();
    const { pairs, nodes, stopped } = await writeInChunks(options);
    // Eight slots are three chunks of three.
    expect([nodes, stopped]).toEqual([9, 0]);
    expect(pairs.length).toBeGreaterThan(2);
    for (const { chosen, rejected, slots } of pairs) {
      const [from, to] = slots!;
      expect([levelOf(chosen), levelOf(rejected)]).toEqual(['chosen', 'rejected']);
      expect([0, 3, 6]).toContain(from);
      expect(to).toBe(Math.min(SLOTS, from + 3));
      expect(chosen.choices.slice(0, from)).toEqual(rejected.choices.slice(0, from));
      expect(chosen.choices.slice(from, to)).not.toEqual(rejected.choices.slice(from, to));
    }
    expect(steps.flat()).toEqual(pairs);
    expect(steps.slice(0, -1).every(({ length }) => length === 2)).toBe(true);
    // From the second node on the text is also ended with plain options.
    expect(rolled[0]).toEqual([[], []]);
    expect(rolled[3]).toHaveLength(3);
    expect(rolled[3]![2]).toEqual([...rolled[3]![0]!, 0, 0, 0, 0, 0]);
  });

  it('takes longer chunks where a text has many slots, and ends with its last one', async () => {
    const { options, rolled } = chunkWriting();
    await writeInChunks({ ...options, settings: { ...options.settings, chunk: 1, mostChunks: 2 } });
    expect(rolled.map(([prefix]) => prefix!.length)).toEqual([0, 0, 0, 4, 4, 4]);
  });

  it('gives no pair where outcomes are the same or unsure', async () => {
    for (const level of ['chosen', 'rejected', 'unsure'] as const) {
      const { options, steps } = chunkWriting({ judge: async (_, own) => own.flat().map(() => level) });
      expect((await writeInChunks(options)).pairs).toEqual([]);
      expect(steps).toEqual([]);
    }
  });

  it('ends a text where the stop head says so', async () => {
    const { options } = chunkWriting({ stopHead: new StopHead([99, 0, 0]) });
    expect(await writeInChunks(options)).toMatchObject({ nodes: 3, stopped: 3 });
  });

  it('teaches the stop head to end texts that fool only when they are ended', async () => {
    const plainEnd = ({ choices }: Candidate) => choices.slice(-2).every((choice) => choice === 0);
    const head = new StopHead();
    const before = head.probability([1, 0.5, 0.5]);
    const tasks = Array.from({ length: 40 }, (_, i) => toyTask(`text ${i}`));
    const { options } = chunkWriting({
      tasks,
      stopHead: head,
      judge: async (_, own) => own.flat().map((one) => (plainEnd(one) ? 'chosen' : 'rejected')),
    });
    const { stopped } = await writeInChunks({
      ...options,
      settings: { ...options.settings, stop: { beta: 1, learningRate: 0.5 } },
    });
    expect(before).toBeLessThan(0.2);
    expect(head.probability([1, 0.5, 0.5])).toBeGreaterThan(0.6);
    expect(stopped).toBeGreaterThan(0);
  });
});

describe('what a restart learns from', () => {
  const tasks = [toyTask('one two three'), toyTask('four five six', 'fr', false), toyTask('seven', 'de')];
  const judged = (task: number, text: string, level: Level): JudgedCandidate => ({
    task,
    candidate: { seed: '', lang: 'fr', text, logProbability: -1, choices: [] },
    score: 0.5,
    flagged: false,
    rating: 5,
    level,
  });

  it('is the filtered output of the last policy', () => {
    const all = [
      judged(0, 'un deux', 'chosen'),
      judged(0, 'un deux', 'chosen'),
      judged(0, "I'm sorry, but I can't help with that", 'chosen'),
      judged(0, 'x'.repeat(300), 'chosen'),
      judged(0, 'deux trois', 'rejected'),
      judged(1, 'quatre', 'chosen'),
      judged(1, 'cinq', 'chosen'),
      judged(1, 'six', 'chosen'),
    ];
    const texts = filteredOutput(tasks, all, config().filter).map(({ task, candidate }) => [task, candidate.text]);
    expect(texts).toEqual([
      [tasks[0], 'un deux'],
      [tasks[1], 'quatre'],
      [tasks[1], 'cinq'],
    ]);
  });

  it('and the tasks whose candidates were mostly seen through', () => {
    const all = [
      ...['chosen', 'rejected', 'rejected', 'unfaithful'].map((level) => judged(0, '', level as Level)),
      ...['chosen', 'rejected'].map((level) => judged(1, '', level as Level)),
      ...['unsure', 'unfaithful'].map((level) => judged(2, '', level as Level)),
    ];
    expect(hardTasks(tasks, all, 0.5)).toEqual([tasks[0]]);
    expect(hardTasks(tasks, all, 0.6)).toEqual([tasks[0], tasks[1]]);
  });
});

async function toyRewriter(): Promise<Rewriter> {
  const rewriter = await createRewriter({
    createEditSpace: toyEditSpace,
    languages: () => ['fr'],
    config: { embedding: 8, hidden: 12, buckets: 400 },
    policy: null,
    threads: 1,
  });
  onTestFinished(() => rewriter.release());
  return rewriter;
}

function temporaryRun(): RunDirectory {
  const directory = mkdtempSync(join(tmpdir(), 'spin-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return new RunDirectory(directory);
}

describe('SPIN', () => {
  const texts = ['the red code', 'a secret', 'where do they go', 'hello there my friend', 'go on then', 'red friend'];
  /** These humans always choose the rarer translation. */
  const translations: TranslationPair[] = texts.map((text) => ({
    task: toyTask(text),
    target: text
      .split(' ')
      .map((word) => `FR${word}`)
      .join(' '),
  }));
  const settings = config({ spin: { iterations: 3, beta: 0.5, learningRate: 1e-2, epochs: 4, batchPairs: 4 } });
  const gameOf = (generator: Rewriter, directory: RunDirectory) =>
    ({ config: settings, directory, generator, observer: { progress: () => {} } }) as unknown as Game;

  it('makes the generator write as the humans did', async () => {
    const generator = await toyRewriter();
    const directory = temporaryRun();
    const rare = async () => {
      const drawn = await generator.generate(
        translations.map(({ task }) => task),
        { count: 30, temperature: 1, seed: 4 },
      );
      const words = drawn.flat().flatMap(({ choices }) => choices.slice(2));
      return words.filter((choice) => choice === 1).length / words.length;
    };
    const before = await rare();
    await spin(gameOf(generator, directory), translations);
    const after = await rare();
    expect(before).toBeLessThan(0.4);
    expect(after).toBeGreaterThan(before + 0.2);

    const read = (name: string) => readFileSync(directory.file(`round-0/${name}`), 'utf8');
    const counts = [0, 1, 2].map((t) => read(`spin-${t}.jsonl`).trimEnd().split('\n').length);
    const learned = [0, 1, 2].map(
      (t) => (JSON.parse(read(`spin-${t}.json`)) as { figures: { pairs: number } }).figures,
    );
    // Later iterations mix the generations of two policies.
    expect(learned.map(({ pairs }) => pairs)).toEqual([counts[0], counts[0]! + counts[1]!, counts[1]! + counts[2]!]);
  });

  it('goes on after an interruption to the same policy', async () => {
    const [unbroken, broken] = [temporaryRun(), temporaryRun()];
    await spin(gameOf(await toyRewriter(), unbroken), translations);
    const failing = await toyRewriter();
    let learned = 0;
    const learn: Rewriter['learn'] = async (...call) => {
      if (++learned === 2) throw new Error('interrupted');
      return failing.learn(...call);
    };
    await expect(spin(gameOf({ ...failing, learn }, broken), translations)).rejects.toThrow('interrupted');
    await spin(gameOf(await toyRewriter(), broken), translations);
    for (const name of ['spin-0.jsonl', 'spin-1.bin', 'spin-2.bin', 'spin-2.json']) {
      const [a, b] = [unbroken, broken].map((run) => readFileSync(run.file(`round-0/${name}`)));
      expect(a!.equals(b!), name).toBe(true);
    }
  });

  it("has the paper's schedule", () => {
    const rates = [0, 1, 2, 3].map((t) => spinOptions(config({ spin: { learningRate: 5e-7 } }), t));
    expect(rates.map(({ beta }) => beta)).toEqual([0.1, 0.1, 0.1, 5]);
    expect(rates.map(({ learningRate }) => learningRate)).toEqual([5e-7, 5e-7, 1e-7, 1e-7]);
    expect(rates.every(({ nllWeight }) => nllWeight === 0)).toBe(true);
  });

  it('takes parallel seeds in the directions of the game, and none that measures', async () => {
    const own = config({ languages: ['fr', 'de', 'en'], spin: { pairs: 100_000 } });
    const game = (heldOut: readonly string[], changes: object = {}) =>
      ({
        config: { ...own, ...changes },
        generator: { languages: () => ['fr', 'en'] },
        base: { train: [], calibration: [], evaluation: heldOut.map((text) => ({ text })) },
      }) as unknown as Game;
    const all = await drawTranslations(game([]));
    expect(all.length).toBeGreaterThan(50);
    expect(new Set(all.map(({ task }) => `${task.seed.lang} ${task.lang}`))).toEqual(new Set(['en fr']));
    const [first, second] = all as [TranslationPair, TranslationPair];
    const left = await drawTranslations(game([first.task.seed.text, second.target]));
    const texts = new Set(left.flatMap(({ task, target }) => [task.seed.text, target]));
    expect(texts.has(first.task.seed.text) || texts.has(second.target)).toBe(false);
    await expect(drawTranslations(game([], { languages: ['en'] }))).rejects.toThrow(/no parallel seeds from en to en/);
  }, 60_000);
});

it('hands guidance to the generator', async () => {
  const { generate } = await import('../../training/game/generate.ts');
  const seen: unknown[] = [];
  const generator = {
    ...createToyGenerator(),
    restore: () => {},
    generate: async (tasks: readonly GenerationTask[], options: unknown) => {
      seen.push(options);
      return tasks.map(() => [{ seed: '', lang: 'fr', text: 'a', logProbability: 0, choices: [] }]);
    },
  };
  const seeds = [true, false].map((unsafe) => ({ ...toyTask(`seed ${unsafe}`, 'fr', unsafe).seed }));
  const own = config({ attack: { guidance: 0.7 }, languages: ['fr'] });
  const game = { config: own, directory: temporaryRun(), generator, base: { train: seeds }, observer: {} };
  await generate(game as unknown as Game, 1);
  expect(seen).toEqual([{ count: 8, temperature: 0.9, guidance: 0.7, seed: expect.any(Number) }]);
});
