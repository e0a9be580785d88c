import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { playCommand } from '../../training/cli/play.ts';
import { createGameMetrics, serveGameMetrics } from '../../training/game/metrics.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { toyConfig, toyRows } from '../support/toy-game.ts';

const GENERATOR = fileURLToPath(new URL('../support/toy-attacker.ts', import.meta.url));

function train(...flags: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'training/cli/train.ts', ...flags]);
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    out.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    out.stderr += chunk;
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...out })),
  );
}

it('plays from the command line, line by line where there is no terminal, and resumes with what it began with', async () => {
  const directory = temporaryDirectory();
  const path = (name: string) => join(directory, name);
  writeFileSync(path('toy.jsonl'), toyRows(6000));
  writeFileSync(path('game.json'), JSON.stringify(toyConfig('/nowhere')));
  const places = ['--run', path('run'), '--out', path('models'), '--generator', GENERATOR];
  const first = await train(
    'play',
    '--config',
    path('game.json'),
    '--data',
    path('toy.jsonl'),
    '--rounds',
    '1',
    ...places,
  );
  expect(first.code, first.stderr).toBe(0);
  const summary = JSON.parse(first.stdout) as { report: string; stopped: string; rounds: { round: number }[] };
  expect(summary).toMatchObject({
    report: path('run/report.json'),
    stopped: 'rounds',
    rounds: [{ round: 0 }, { round: 1 }],
  });
  expect(first.stderr).toMatch(/^base set: en \d+, fr \d+; \d+ held out$/m);
  expect(first.stderr).toMatch(/^round 1: train-generator took \d+\.\d s$/m);
  expect(first.stderr).not.toContain('\r');

  const again = await train('play', '--resume', ...places);
  expect(again.code, again.stderr).toBe(0);
  expect(JSON.parse(again.stdout)).toEqual(summary);
}, 120_000);

it('says what is wrong with settings and modules', async () => {
  const directory = temporaryDirectory();
  const path = (name: string) => join(directory, name);
  writeFileSync(path('typo.json'), '{ "attack": { "sedes": 3 } }');
  writeFileSync(path('broken.json'), '{ "seed": ');
  writeFileSync(path('empty.mjs'), 'export const nothing = 1;');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--config', path('typo.json')], /typo\.json: .*sedes.*attack/s],
    [['--config', path('broken.json')], /broken\.json: .*JSON/],
    [['--generator', path('none.mjs')], /none\.mjs/],
    [['--generator', path('empty.mjs')], /empty\.mjs has to export createGenerator and rateFidelity/],
    [['--rounds', 'many'], /--rounds takes a whole number/],
    [['--resume'], /--resume needs --run/],
    [['--resume', '--run', path('fresh')], /fresh holds no run to resume/],
  ];
  for (const [flags, message] of cases) {
    await expect(playCommand(flags), flags.join(' ')).rejects.toThrow(message);
  }
});

it('serves what the game has reached to Prometheus', async () => {
  const metrics = createGameMetrics();
  const server = await serveGameMetrics(metrics, 0);
  metrics.stageBegan(2, 'score');
  metrics.progress('score', 1, 4, 'windows');
  metrics.stageEnded(1, 'generate', 2.5);
  metrics.stageBegan(2, 'pair');
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  const text = await response.text();
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(text).toContain('guardrail_game_round 2');
  expect(text).toContain('guardrail_game_stage{stage="pair"} 1');
  expect(text).toContain('guardrail_game_stage{stage="score"} 0');
  expect(text).toContain('guardrail_game_stage_seconds{stage="generate"} 2.5');
  expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(404);
  await server.close();
});
