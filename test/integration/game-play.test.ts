import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { GameConfig } from '../../training/game/config.ts';
import type { GameObserver } from '../../training/game/observer.ts';
import { type PlayOptions, playGame } from '../../training/game/play-game.ts';
import type { GameReport } from '../../training/game/report.ts';
import type { Disk } from '../../training/game/run-directory.ts';
import type { Generator } from '../../training/generator/contract.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { createToyGenerator, rateToy, toyConfig, toyRows } from '../support/toy-game.ts';

const SILENT: GameObserver = {
  log: () => {},
  stageBegan: () => {},
  progress: () => {},
  stageEnded: () => {},
  roundEnded: () => {},
};

let data: string;
let unbroken: { directory: string; report: GameReport };

beforeAll(async () => {
  data = join(temporaryDirectory(), 'toy.jsonl');
  writeFileSync(data, toyRows(6000));
  const directory = temporaryDirectory();
  unbroken = { directory, report: await play(directory) };
}, 120_000);

function play(directory: string, changes: Partial<PlayOptions> = {}): Promise<GameReport> {
  return playGame({
    config: toyConfig(data),
    runDirectory: join(directory, 'run'),
    resume: false,
    generator: createToyGenerator(),
    rate: rateToy,
    observer: SILENT,
    modelsDirectory: join(directory, 'models'),
    id: 'toy',
    activate: false,
    ...changes,
  });
}

/** SHA-256 of every file of a run but the journal, and of the published models. */
function contents(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    // These hold the time at which they were written.
    .filter((file) => !/journal\.jsonl$|manifest\.json$|models\/index\.json$/.test(file));
  return Object.fromEntries(
    files
      .sort()
      .map((file) => [relative(directory, file), createHash('sha256').update(readFileSync(file)).digest('hex')]),
  );
}

const journal = (directory: string) =>
  readFileSync(join(directory, 'run', 'journal.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; round?: number; stage?: string });

describe('a game', () => {
  it('teaches both players and keeps all that happened', () => {
    const { directory, report } = unbroken;
    expect(report.stopped).toBe('rounds');
    expect(report.rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
    const [base, , last] = report.rounds as [GameReport['rounds'][0], unknown, GameReport['rounds'][0]];
    expect(last.meanAuprc).toBeGreaterThan(base.meanAuprc);
    expect(last.syntheticShare['fr']).toBeGreaterThan(last.syntheticShare['en'] as number);
    const success = (generator: number, guardrail: number) =>
      report.rounds
        .flatMap(({ encounters }) => encounters)
        .find((one) => one.generator === generator && one.guardrail === guardrail)?.success as number;
    expect(success(2, 2)).toBeLessThan(success(2, 0));
    expect(last.gap).toBeCloseTo(success(2, 2) - success(2, 0), 12);
    expect(last.kl).toBeGreaterThan(0);
    expect(report.rounds.flatMap(({ encounters }) => encounters)).toHaveLength(9);

    const files = Object.keys(contents(directory));
    for (const name of ['candidates.jsonl', 'judged.jsonl', 'pairs.jsonl', 'pairs.trl.jsonl', 'kept.json']) {
      expect(files).toContain(`run/round-1/${name}`);
    }
    const [line] = readFileSync(join(directory, 'run', 'round-1', 'pairs.trl.jsonl'), 'utf8').split('\n');
    expect(Object.keys(JSON.parse(line as string))).toEqual(['prompt', 'chosen', 'rejected']);
    expect(JSON.parse(readFileSync(join(directory, 'run', 'report.json'), 'utf8'))).toEqual(report);
    const stages = journal(directory).filter(({ event, round }) => event === 'stage' && round === 2);
    expect(stages.map(({ stage }) => stage)).toEqual([
      'generate',
      'score',
      'pair',
      'train-generator',
      'filter',
      'train-guardrail',
      'evaluate',
      'publish',
    ]);
  });

  it('is the same from the same seed, and another from another', async () => {
    const other = temporaryDirectory();
    await play(other, { config: toyConfig(data, { seed: 2, rounds: 1 }) });
    expect(contents(other)['run/round-1/candidates.jsonl']).not.toBe(
      contents(unbroken.directory)['run/round-1/candidates.jsonl'],
    );
  });

  it('stopped by a full disk at every single file, it goes on to the same bytes', async () => {
    const directory = temporaryDirectory();
    const failed = new Set<string>();
    // Each file finds the disk full when it is first written.
    const disk: Disk = {
      save(path, write) {
        if (failed.has(path)) return write(path);
        failed.add(path);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      },
    };
    let report: GameReport | undefined;
    for (let attempt = 0; report === undefined; attempt++) {
      try {
        // Where not even the settings were written, there is nothing to resume.
        report = await play(directory, { disk, resume: attempt > 1 });
      } catch (error) {
        const path = [...failed].at(-1);
        expect(error).toMatchObject({
          name: 'GameError',
          message: `cannot write ${path}: the disk is full; make room and resume the run`,
        });
        expect(failed.size).toBe(attempt + 1);
      }
    }
    expect(failed.size).toBeGreaterThan(20);
    expect(contents(directory)).toEqual(contents(unbroken.directory));
  }, 300_000);

  it('killed in the middle of every stage it goes on to the same bytes', async () => {
    const directory = temporaryDirectory();
    const stages = 'generate score pair train-generator filter train-guardrail evaluate publish'.split(' ');
    for (const [index, stage] of stages.entries()) {
      const { signal, stderr } = await playUntilKilled(directory, stage, index > 0);
      expect(signal, stderr).toBe('SIGKILL');
      expect(journal(directory).at(-1)).toMatchObject({ event: 'stage', round: 1, stage });
    }
    await play(directory, { resume: true });
    expect(contents(directory)).toEqual(contents(unbroken.directory));
  }, 300_000);

  it('says that a directory holds a run, none, or another', async () => {
    const { directory } = unbroken;
    await expect(play(directory)).rejects.toThrow(/run holds a run already: --resume continues it/);
    await expect(play(temporaryDirectory(), { resume: true })).rejects.toThrow(/holds no run to resume/);
    const config = toyConfig(data, { rounds: 3 });
    await expect(play(directory, { resume: true, config })).rejects.toThrow(
      /config\.json belongs to a run with other settings/,
    );
  });
});

/** Runs the toy game in a process of its own that kills itself when round 1's `stage` is about to write its first file. */
function playUntilKilled(directory: string, stage: string, resume: boolean) {
  const script = new URL('../support/play-until-killed.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', script, data, directory, stage, String(resume)]);
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise<{ signal: string | null; stderr: string }>((resolve) =>
    child.once('close', (_, signal) => resolve({ signal, stderr })),
  );
}

describe('bad input', () => {
  const fails = async (changes: Partial<PlayOptions>, message: RegExp) => {
    const directory = temporaryDirectory();
    await expect(play(directory, changes)).rejects.toThrow(message);
    return directory;
  };
  const file = (name: string, text: string): string => {
    const path = join(temporaryDirectory(), name);
    writeFileSync(path, text);
    return path;
  };
  const on = (text: string, changes: object = {}): Partial<PlayOptions> => ({
    config: toyConfig(file('seeds.jsonl', text), changes),
  });

  it('is named by file and line', async () => {
    const good = toyRows(50);
    await fails(on(`${good}{"text": "cut off`), /seeds\.jsonl:51: not JSON/);
    await fails(on(`${good}{"text": "a", "unsafe": "perhaps"}\n`), /seeds\.jsonl:51: unsafe: /);
    await fails(
      on(`${good}{"text": "a", "unsafe": 1, "categories": ["rudeness"]}\n`),
      /seeds\.jsonl:51: categories\.0/,
    );
    await fails(on(`${good}{"text": "a", "unsafe": 0, "lang": "klingonish"}\n`), /seeds\.jsonl:51: lang: /);
    await fails({ config: toyConfig('/nowhere/seeds.jsonl') }, /there is no data at \/nowhere\/seeds\.jsonl/);
  });

  it('is an empty class or a language that nobody writes', async () => {
    const safe = toyRows(200)
      .split('\n')
      .filter((line) => line.includes('"unsafe":false'))
      .join('\n');
    await fails(on(safe), /no unsafe rows in en/);
    await fails({ config: toyConfig(data, { languages: ['en', 'es'] }) }, /toy cannot write es from en/);
  });

  it('is a generator that writes nothing, and the run goes on with one that does', async () => {
    const mute: Generator = { ...createToyGenerator(), generate: async (tasks) => tasks.map(() => []) };
    const directory = await fails({ generator: mute }, /toy wrote no candidate for any of \d+ tasks/);
    await play(directory, { resume: true });
    expect(contents(directory)).toEqual(contents(unbroken.directory));
  }, 60_000);

  it('is a damaged state or stage file, which is named', async () => {
    const directory = temporaryDirectory();
    const config: GameConfig = toyConfig(data, { rounds: 1 });
    await play(directory, { config });
    const round = join(directory, 'run', 'round-1');
    const evaluation = join(round, 'evaluation.json');
    const state = join(directory, 'run', 'round-0', 'guardrail.bin');
    const whole = readFileSync(state);

    writeFileSync(evaluation, '{"heldOut": [');
    await expect(play(directory, { config, resume: true })).rejects.toThrow(
      /round-1\/evaluation\.json:1: not JSON; remove the file/,
    );
    rmSync(evaluation);
    whole[whole.length - 40] = (whole[whole.length - 40] as number) ^ 1;
    writeFileSync(state, whole);
    await expect(play(directory, { config, resume: true })).rejects.toThrow(/round-0\/guardrail\.bin is damaged/);
    whole[whole.length - 40] = (whole[whole.length - 40] as number) ^ 1;
    writeFileSync(state, whole);
    await play(directory, { config, resume: true });
    expect(existsSync(evaluation)).toBe(true);
  }, 60_000);
});
