import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { GenerationTask } from '../../training/generator/contract.ts';
import type { EditOption, EditSpace } from '../../training/generator/rewriter/edit-space.ts';
import { RewriterError } from '../../training/generator/rewriter/errors.ts';
import { createRewriter } from '../../training/generator/rewriter/rewriter.ts';
import { supervise } from '../../training/generator/rewriter/supervision.ts';
import { readTranslationPairs } from '../../training/generator/rewriter/translations.ts';
import { toyEditSpace, toyTask } from '../support/toy-edit-space.ts';

const translate = (text: string, rank: number, share: number): EditOption => ({ kind: 'translate', rank, text, share });
const foreign = (text: string): EditOption => ({ kind: 'keep-foreign', rank: 0, text, share: 1 });
const drop: EditOption = { kind: 'drop', rank: 0, text: '', share: 1 };

/** "Do the big houses Anna": a word left out, two words with translations, one without, a name. */
const SPACE: EditSpace = {
  task: toyTask('Do the big houses Anna'),
  slots: [
    {
      word: '',
      options: [
        { kind: 'keep', rank: 0, text: '', share: 1 },
        { kind: 'frame', rank: 0, text: 'story', share: 1 },
      ],
    },
    { word: 'Do', options: [drop, foreign('Do')] },
    { word: 'the', options: [translate('le', 0, 0.6), translate('les', 1, 0.4), foreign('the')] },
    {
      word: 'big',
      options: [
        translate('grand', 0, 0.8),
        translate('gros', 1, 0.2),
        foreign('big'),
        { kind: 'leetspeak', rank: 0, text: 'gr4nd', share: 1 },
      ],
    },
    { word: 'houses', options: [translate('maisons', 0, 0.9), translate('les maisons', 1, 0.1), foreign('houses')] },
    { word: 'Anna', options: [{ kind: 'keep', rank: 0, text: 'Anna', share: 1 }, translate('Anne', 0, 1)] },
  ],
  render: () => '',
};

const slotTargets = (targets: Float32Array): number[][] => {
  let at = 0;
  return SPACE.slots.map(({ options }) => {
    at += options.length;
    return Array.from(targets.subarray(at - options.length, at));
  });
};

describe('what a translation says of an edit space', () => {
  it('takes the options whose words stand in it', () => {
    const { choices, told } = supervise(SPACE, 'Les maisons grand Anna');
    expect(choices).toEqual([0, 0, 1, 0, 0, 0]);
    expect(told).toBe(5);
  });

  it('uses each word of the translation once', () => {
    expect(supervise(SPACE, 'les les maisons').choices[4]).toBe(0);
    const once = supervise({ ...SPACE, slots: [SPACE.slots[2]!, SPACE.slots[2]!] }, 'les');
    expect([once.choices, once.told]).toEqual([[1, 0], 1]);
  });

  it('says nothing of words whose translations do not stand there', () => {
    const { choices, targets, told } = supervise(SPACE, 'énorme');
    expect(choices).toEqual([0, 0, 0, 0, 0, 0]);
    expect(slotTargets(targets)[3]).toEqual([0, 0, 0, 0]);
    expect(told).toBe(1);
  });

  it('takes words that stayed as they were', () => {
    expect(supervise(SPACE, 'Do the big houses Anna').choices).toEqual([0, 1, 2, 2, 2, 0]);
  });

  it('leaves frames and disguises what the prior gives them', () => {
    const [frame, , , big] = slotTargets(supervise(SPACE, 'gros').targets) as number[][];
    expect(frame![0]! / frame![1]!).toBeCloseTo(Math.exp(3.5), 3);
    const weights = [0.8, 0.2, Math.exp(-3.5), Math.exp(-4)];
    const total = weights.reduce((a, b) => a + b);
    for (const [o, expected] of [0, 1, weights[2]!, weights[3]!].entries()) {
      expect(big![o]).toBeCloseTo(expected / total, 5);
    }
    expect(big!.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  });
});

describe('warm-up', () => {
  const CONFIG = { embedding: 8, hidden: 12, buckets: 400 };
  const SAMPLING = { count: 200, temperature: 1, seed: 1 };
  /** A translator who prefers the rarer translation of words with an `o`. */
  const translation = (task: GenerationTask) => ({
    task,
    target: task.seed.text
      .split(' ')
      .map((word) => (word.includes('o') ? `${task.lang}${word}` : `${word}${task.lang}`))
      .join(' '),
  });
  const TEXTS = ['the red house', 'where do they go', 'a dog in the sun', 'open the window', 'old men like tea'];
  const create = async () => {
    const rewriter = await createRewriter({ createEditSpace: toyEditSpace, config: CONFIG, policy: null, threads: 1 });
    onTestFinished(() => rewriter.release());
    return rewriter;
  };
  const options = { learningRate: 2e-2, epochs: 60, conditionDropout: 0.1, seed: 1 };

  it('makes the choices of the translator likely and keeps frames and disguises', async () => {
    const rewriter = await create();
    const task = toyTask('the dog');
    const shares = async () => {
      const [drawn] = await rewriter.generate([task], SAMPLING);
      const share = (is: (choices: readonly number[]) => boolean) =>
        drawn!.filter(({ choices }) => is(choices)).length / drawn!.length;
      return {
        rare: share((choices) => choices[3] === 1),
        common: share((choices) => choices[2] === 0),
        odd: share((choices) => choices[0]! > 0 || choices[2]! > 1 || choices[3]! > 1),
      };
    };
    const before = await shares();
    const figures = await rewriter.warmUp(
      TEXTS.map((text) => translation(toyTask(text))),
      options,
    );
    const after = await shares();
    expect(before.rare).toBeLessThan(0.4);
    expect(after.rare).toBeGreaterThan(0.75);
    expect(after.common).toBeGreaterThan(0.75);
    expect(after.odd).toBeGreaterThan(before.odd / 4);
    expect(figures.pairs).toBe(TEXTS.length);
    expect(figures.last).toBeLessThan(figures.first);
  });

  it('ends the same each time and needs pairs', async () => {
    const pairs = TEXTS.map((text) => translation(toyTask(text)));
    const outcomes = [];
    for (let i = 0; i < 2; i++) {
      const rewriter = await create();
      const figures = await rewriter.warmUp(pairs, { ...options, epochs: 5 });
      outcomes.push({ figures, drawn: await rewriter.generate([toyTask('the dog')], SAMPLING) });
    }
    expect(outcomes[0]).toEqual(outcomes[1]);
    await expect((await create()).warmUp([])).rejects.toThrow(RewriterError);
  });
});

describe('translations to learn from', () => {
  it('come from files in both directions and from the parallel seeds', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'translations-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'lines.jsonl');
    const lines = [
      { en: 'Good morning.', xx: 'Bonjour.', lang: 'fr' },
      { en: 'Good night.', xx: 'Goedenacht.', lang: 'nl' },
    ];
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    const wanted = (from: string, to: string) => `${from}${to}` === 'enfr' || `${from}${to}` === 'fren';
    const pairs = await readTranslationPairs({ parallel: path, wanted });
    const [there, back, ...seeds] = pairs;
    expect(there).toMatchObject({
      task: { seed: { text: 'Good morning.', lang: 'en' }, lang: 'fr' },
      target: 'Bonjour.',
    });
    expect(back).toMatchObject({
      task: { seed: { text: 'Bonjour.', lang: 'fr' }, lang: 'en' },
      target: 'Good morning.',
    });
    expect(seeds.length).toBeGreaterThan(1000);
    expect(seeds.every(({ task }) => task.seed.source === 'seeds' && wanted(task.seed.lang, task.lang))).toBe(true);
    expect(new Set(pairs.map(({ task }) => task.seed.id)).size).toBe(pairs.length);
  });
});
