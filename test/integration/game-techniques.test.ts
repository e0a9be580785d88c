import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RateFidelity } from '../../training/game/contract.ts';
import { playGame } from '../../training/game/play-game.ts';
import type { GameReport } from '../../training/game/report.ts';
import type { Disk } from '../../training/game/run-directory.ts';
import type { PreferencePair } from '../../training/generator/contract.ts';
import { createRewriter } from '../../training/generator/rewriter/rewriter.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { toyEditSpace } from '../support/toy-edit-space.ts';
import { toyConfig, toyRows } from '../support/toy-game.ts';

const MARKERS = /zorbat|quilmex|fendolk|vishtug|gomprix|wexlan/i;

/** Faithful while an unsafe text's marker can be read, with digits for letters too. */
const rate: RateFidelity = ({ seed }, text) => ({
  rating: MARKERS.test(text.replaceAll('3', 'e').replaceAll('0', 'o')) === seed.unsafe ? 5 : 1,
});

const SMALL = {
  rounds: 1,
  languages: ['fr'],
  data: { rows: 400, shares: { en: 0.99, fr: 0.01 }, heldOutRows: 60 },
};

let data: string;

beforeAll(() => {
  data = join(temporaryDirectory(), 'toy.jsonl');
  writeFileSync(data, toyRows(3000));
});

async function play(directory: string, changes: object, resume = false, disk?: Disk): Promise<GameReport> {
  const generator = await createRewriter({
    createEditSpace: toyEditSpace,
    languages: () => ['fr'],
    config: { embedding: 8, hidden: 12, buckets: 400 },
    policy: null,
    threads: 1,
  });
  const silent = () => {};
  try {
    return await playGame({
      config: toyConfig(data, { ...SMALL, data: { ...SMALL.data, sources: [data] }, ...changes }),
      runDirectory: join(directory, 'run'),
      resume,
      generator,
      rate,
      observer: { log: silent, stageBegan: silent, progress: silent, stageEnded: silent, roundEnded: silent },
      modelsDirectory: join(directory, 'models'),
      id: 'toy',
      activate: false,
      ...(disk && { disk }),
    });
  } finally {
    await generator.release();
  }
}

/** SHA-256 of the files of a run's rounds. */
function contents(directory: string): Record<string, string> {
  const files = readdirSync(join(directory, 'run'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'journal.jsonl')
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    files
      .sort()
      .map((file) => [relative(directory, file), createHash('sha256').update(readFileSync(file)).digest('hex')]),
  );
}

/** The same game, stopped when each of the named files is first written, and resumed each time. */
async function playInterrupted(directory: string, changes: object, names: readonly string[]): Promise<void> {
  const failed = new Set<string>();
  const disk: Disk = {
    save(path, write) {
      if (failed.has(path) || !names.some((name) => path.endsWith(name))) return write(path);
      failed.add(path);
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    },
  };
  for (let resume = false; ; resume = true) {
    try {
      await play(directory, changes, resume, disk);
      break;
    } catch (error) {
      expect((error as Error).message).toMatch(/the disk is full/);
    }
  }
  expect(failed.size).toBe(names.length);
}

const pairsOf = (directory: string, round = 1) =>
  readFileSync(join(directory, 'run', `round-${round}`, 'pairs.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as PreferencePair);

describe.each([
  ['negatives corrupted', { negatives: 'corrupted' }, ['round-1/corrupted.jsonl', 'round-1/pairs.jsonl']],
  ['schedule sft-rl', { schedule: 'sft-rl' }, ['supervised.bin', 'supervised.json', 'round-1/pairs.jsonl']],
  [
    'pairs.mode online',
    { pairs: { mode: 'online', online: { tasks: 30, chunk: 2, batchPairs: 8 } } },
    ['online.bin', 'online.json', 'round-1/pairs.jsonl', 'round-1/generator.json'],
  ],
] as const)('a game with %s', (_, changes, files) => {
  it('teaches the generator, and interrupted it goes on to the same bytes', async () => {
    const [unbroken, broken] = [temporaryDirectory(), temporaryDirectory()];
    const report = await play(unbroken, changes);
    const { attack, kl } = report.rounds[1]!;
    expect(attack!.pairs).toBeGreaterThan(0);
    expect(attack!.learned!.pairs).toBe(attack!.pairs);
    expect(kl).not.toBe(0);
    for (const { task, chosen, rejected } of pairsOf(unbroken)) {
      expect([chosen.seed, rejected.seed]).toEqual([task.seed.id, task.seed.id]);
      expect(chosen.text).not.toBe(rejected.text);
    }
    await playInterrupted(broken, changes, files);
    expect(contents(broken)).toEqual(contents(unbroken));
  }, 240_000);
});

it('goes on with the stop head of the round before', async () => {
  const directory = temporaryDirectory();
  const changes = { rounds: 2, pairs: { mode: 'online', online: { tasks: 20, chunk: 2 } } };
  await play(directory, changes);
  const file = (round: number) => join(directory, 'run', `round-${round}`, 'online.json');
  const record = (round: number) => JSON.parse(readFileSync(file(round), 'utf8')) as { stopWeights: number[] };
  expect(record(1).stopWeights).not.toEqual([-2, 0, 0]);
  writeFileSync(file(1), JSON.stringify({ ...record(1), stopWeights: [-50, 0, 0] }));
  rmSync(join(directory, 'run', 'round-2'), { recursive: true });
  await play(directory, changes, true);
  expect(record(2).stopWeights[0]).toBeLessThan(-40);
}, 240_000);
