import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { encodeWindows } from '../../src/checkpoint/encode.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { categoryIndex } from '../../src/taxonomy.ts';
import { type GuardrailConfig, guardrailConfigSchema } from '../../training/guardrail/config.ts';
import { type RunResult, trainGuardrail } from '../../training/guardrail/run.ts';
import { FIXTURE_LOAD_OPTIONS, temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { MARKERS, TOY_SETTINGS, toyRows } from '../support/toy-guardrail.ts';

interface Run {
  readonly models: string;
  readonly directory: string;
  readonly result: RunResult;
}

let data: string;
let unbroken: Run;

beforeAll(async () => {
  data = join(temporaryDirectory(), 'toy.jsonl');
  writeFileSync(data, toyRows(1000));
  unbroken = await run(guardrailConfigSchema.parse(TOY_SETTINGS));
});

test('a run publishes a checkpoint that reproduces its canaries and has learned the task', async () => {
  const { models, directory, result } = unbroken;
  expect(result.steps).toBeGreaterThan(30);
  expect(result.figures.auprc_int8).toBeGreaterThan(0.95);
  const events = new Set(journal(directory).map(({ event }) => event));
  expect([...events]).toEqual(['started', 'step', 'saved', 'published']);

  const checkpoint = await loadCheckpoint(join(models, 'toy'), FIXTURE_LOAD_OPTIONS);
  onTestFinished(() => checkpoint.close());
  expect(checkpoint.manifest).toMatchObject({
    id: 'toy',
    training: { steps: result.steps, data: [{ source: 'toy' }] },
  });
  const score = async (text: string): Promise<Float32Array> => {
    const sequences = encodeWindows(checkpoint, checkpoint.tokenizer.encode(text));
    return (await checkpoint.engine.submit(sequences, new AbortController().signal)).scores[0] as Float32Array;
  };
  const sentence = (marker: string): string => `the old friend sings ${marker} near a green river`;
  const unmarked = Math.max(...(await score(sentence('bread'))));
  for (const [word, category] of MARKERS) {
    const scores = await score(sentence(word));
    expect(Math.max(...scores)).toBeGreaterThan(2 * unmarked);
    expect(scores.indexOf(Math.max(...scores))).toBe(categoryIndex(category));
  }
});

test('the same seed gives the same model, another seed another', async () => {
  const [again, other] = [
    await run(guardrailConfigSchema.parse(TOY_SETTINGS)),
    await run(guardrailConfigSchema.parse({ ...TOY_SETTINGS, seed: 2 })),
  ];
  expect(model(again.models).equals(model(unbroken.models))).toBe(true);
  expect(model(other.models).equals(model(unbroken.models))).toBe(false);
});

test('a killed run goes on to the same model', async () => {
  const directory = temporaryDirectory();
  const models = join(directory, 'models');
  const runDirectory = join(directory, 'run');
  const config = join(directory, 'config.json');
  writeFileSync(config, JSON.stringify(TOY_SETTINGS));
  const flags = ['--data', data, '--config', config, '--out', models, '--id', 'toy', '--run', runDirectory];

  // Saves after nearly every step, so that the kill lands between a state and the end whatever the machine's speed.
  const killed = train(...flags, '--save-every', '0.001');
  while (lastSaved(runDirectory) < 5) await sleep(2);
  killed.child.kill('SIGKILL');
  expect((await killed.ended).signal).toBe('SIGKILL');
  const reached = lastSaved(runDirectory);
  expect(reached).toBeLessThan(unbroken.result.steps);
  expect(existsSync(join(models, 'toy'))).toBe(false);

  const untold = await train(...flags).ended;
  expect(untold).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('holds a run already: --resume continues it'),
  });

  const resumed = await train(...flags, '--resume').ended;
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({ steps: unbroken.result.steps });
  const { step } = journal(runDirectory).find(({ event }) => event === 'resumed') as { step: number };
  expect(step).toBeGreaterThanOrEqual(reached);
  expect(model(models).equals(model(unbroken.models))).toBe(true);

  writeFileSync(config, JSON.stringify({ ...TOY_SETTINGS, learningRate: 0.01 }));
  const changed = await train(...flags, '--resume').ended;
  expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining('a run with other settings or data') });
});

test('says what is wrong and leaves no checkpoint', async () => {
  const directory = temporaryDirectory();
  const path = (name: string): string => join(directory, name);
  writeFileSync(path('typo.json'), '{ "encoder": { "widht": 16 } }');
  writeFileSync(path('broken.json'), '{ "seed": ');
  writeFileSync(path('toy.json'), JSON.stringify(TOY_SETTINGS));
  const safeOnly = path('safe.jsonl');
  const safe = toyRows(40)
    .split('\n')
    .filter((line) => line.includes('"unsafe":false'));
  writeFileSync(safeOnly, safe.join('\n'));

  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown setting', ['--config', path('typo.json')], /typo\.json: .*widht.*encoder/s],
    ['settings that are not JSON', ['--config', path('broken.json')], /JSON/],
    ['missing settings', ['--config', path('none.json')], /none\.json/],
    ['missing data', ['--data', path('nowhere')], /there is no data at .*nowhere/],
    ['data of one class', ['--data', safeOnly], /both safe and unsafe rows are needed/],
    ['nothing to resume', ['--resume', '--run', path('fresh')], /fresh holds no run to resume/],
    ['a resumption of nothing named', ['--resume'], /--resume needs --run/],
    ['a name that no checkpoint can have', ['--id', 'Toy'], /"Toy" cannot be the id of a checkpoint/],
    ['an interval that is none', ['--save-every', 'often'], /--save-every takes a number of seconds/],
  ];
  const outcomes = [];
  for (const [index, [, flags]] of cases.entries()) {
    const defaults = ['--data', data, '--config', path('toy.json'), '--out', path('models'), '--id', 'toy'];
    const withRun = flags.includes('--resume') ? [] : ['--run', path(`run${index}`)];
    outcomes.push(await train(...without(defaults, flags), ...withRun, ...flags).ended);
  }
  for (const [index, [name, , message]] of cases.entries()) {
    expect(outcomes[index], name).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
    expect(outcomes[index]?.stderr, name).not.toContain('    at ');
  }
  expect(existsSync(join(path('models'), 'toy'))).toBe(false);
});

async function run(config: GuardrailConfig): Promise<Run> {
  const directory = temporaryDirectory();
  const models = join(directory, 'models');
  const result = await trainGuardrail({
    config,
    data: [data],
    text: [],
    runDirectory: join(directory, 'run'),
    resume: false,
    id: 'toy',
    modelsDirectory: models,
    activate: false,
    keepFloat: false,
    saveEvery: 600,
    log: () => {},
  });
  return { models, directory: join(directory, 'run'), result };
}

function train(...flags: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'training/cli/train.ts', 'guardrail', ...flags]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  return { child, ended };
}

/** Options of `all` that `overriding` does not set again; `--data` would add up. */
function without(all: readonly string[], overriding: readonly string[]): string[] {
  return all.filter((_, i) => !overriding.includes(all[i - (i % 2)] as string));
}

function model(models: string): Buffer {
  return readFileSync(join(models, 'toy', 'model.onnx'));
}

function journal(runDirectory: string): { event: string; step: number }[] {
  const path = join(runDirectory, 'journal.jsonl');
  if (!existsSync(path)) return [];
  // The last line may be half written.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { event: string; step: number });
}

function lastSaved(runDirectory: string): number {
  return journal(runDirectory).findLast(({ event }) => event === 'saved')?.step ?? 0;
}
