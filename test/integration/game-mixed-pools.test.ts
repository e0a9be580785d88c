import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { gameConfigSchema } from '../../training/game/config.ts';
import type { JudgedCandidate } from '../../training/game/contract.ts';
import type { GameObserver } from '../../training/game/observer.ts';
import { playGame } from '../../training/game/play-game.ts';
import type { PreferencePair } from '../../training/generator/contract.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { createToyGenerator, rateToy, toyConfig, toyRows } from '../support/toy-game.ts';

it('pairs of mixed pools have their chosen side from the other state, and the probe tells of it', async () => {
  const directory = temporaryDirectory();
  const data = join(directory, 'toy.jsonl');
  const other = join(directory, 'other.bin');
  writeFileSync(data, toyRows(2000));
  // A state that puts hyphens between the letters of nearly every word.
  writeFileSync(other, JSON.stringify([0, 0, 5, 0]));
  const logged: string[] = [];
  const observer: GameObserver = {
    log: (line) => logged.push(line),
    stageBegan: () => {},
    progress: () => {},
    stageEnded: () => {},
    roundEnded: () => {},
  };
  const runDirectory = join(directory, 'run');
  const report = await playGame({
    config: toyConfig(data, { rounds: 1, pairs: { sides: 'mixed', otherGenerator: other }, evaluate: { horizons: 1 } }),
    runDirectory,
    resume: false,
    generator: createToyGenerator(),
    rate: rateToy,
    observer,
    modelsDirectory: join(directory, 'models'),
    id: 'mixed',
    activate: false,
  });
  const lines = <T>(name: string) =>
    readFileSync(join(runDirectory, 'round-1', name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as T);
  const pool = new Set(lines<JudgedCandidate>('other-pool.jsonl').map(({ candidate }) => candidate.text));
  const pairs = lines<PreferencePair>('pairs.jsonl');
  expect(pairs.length).toBeGreaterThan(5);
  for (const { chosen, rejected } of pairs) {
    expect(pool.has(chosen.text)).toBe(true);
    expect(pool.has(rejected.text)).toBe(false);
  }
  expect(report.rounds[1]?.attack?.separability.accuracy).toBeGreaterThan(0.9);
  expect(logged).toContainEqual(expect.stringMatching(/^warning: a linear probe tells chosen from rejected/));

  const horizons = report.rounds.flatMap((round) => round.horizons ?? []);
  expect(horizons.map(({ guardrail, generator }) => [guardrail, generator])).toEqual([
    [0, 0],
    [1, 1],
    [0, 1],
  ]);
  expect(readFileSync(join(runDirectory, 'report.html'), 'utf8')).toContain('Guardrails against later generators');
}, 120_000);

it('mixed pools are not for pairs that are made in another way', () => {
  const parsed = gameConfigSchema.safeParse({ pairs: { sides: 'mixed' }, negatives: 'corrupted' });
  expect(parsed.error?.issues[0]?.message).toMatch(/only one of .*pairs\.sides 'mixed'/);
});
