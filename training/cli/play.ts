import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type GameConfig, gameConfigSchema } from '../game/config.ts';
import { GameError } from '../game/game-error.ts';
import { createGameMetrics, serveGameMetrics } from '../game/metrics.ts';
import { type GameObserver, observers, type Stage } from '../game/observer.ts';
import { playGame, savedRun } from '../game/play-game.ts';
import { startAttacker } from '../game/players.ts';
import type { RoundReport } from '../game/report.ts';
import { createProgress, type Progress } from './progress.ts';

export const PLAY_USAGE = `Usage: npm run train -- play [options]

Plays rounds in which a generator learns to fool the guardrail and the guardrail learns from what fooled it. Better
guardrails are published as checkpoints; docs/game.md explains files and figures.

  --config FILE        settings as JSON; what it leaves out has its default. Default: training/configs/game.json
  --data PATH          the base set, instead of the settings' data.sources: a .jsonl or .jsonl.gz file, a directory of
                       them, or seeds (this project's own corpus). May be repeated
  --rounds N           most rounds, instead of the settings' rounds
  --seed N             instead of the settings' seed
  --generator FILE     a module that exports createGenerator and rateFidelity. Default: the embedded rewriter
  --out DIR            where checkpoints are published. Default: state/models
  --id ID              checkpoints are called ID-r<round>. Default: game-<date and time>
  --run DIR            files of this run. Default: state/runs/<id>
  --resume             continue the run in --run after a kill, with the settings and id it began with
  --activate           point active.json at each published checkpoint; a running server changes to it
  --metrics-port PORT  serve Prometheus metrics at http://127.0.0.1:PORT/metrics while it plays
`;

const DEFAULT_CONFIG = fileURLToPath(new URL('../configs/game.json', import.meta.url));
const DEFAULT_GENERATOR = fileURLToPath(new URL('../game/rewriter-attacker.ts', import.meta.url));

/** `npm run train -- play`. Writes the report's summary to the standard output. */
export async function playCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string' },
      data: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      generator: { type: 'string', default: DEFAULT_GENERATOR },
      out: { type: 'string', default: join('state', 'models') },
      id: { type: 'string' },
      run: { type: 'string' },
      resume: { type: 'boolean', default: false },
      activate: { type: 'boolean', default: false },
      'metrics-port': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(PLAY_USAGE);
    return;
  }
  if (values.resume && values.run === undefined)
    throw new GameError('--resume needs --run, the directory to continue in');
  const port = values['metrics-port'] === undefined ? undefined : toNumber('--metrics-port', values['metrics-port']);
  const saved = values.resume ? savedRun(values.run as string) : undefined;
  const config = readConfig(values, saved?.config);
  const id = saved?.id ?? values.id ?? `game-${timestamp()}`;

  const metrics = createGameMetrics();
  const metricsServer = port === undefined ? undefined : await serveGameMetrics(metrics, port);
  const { generator, rate } = await startAttacker(values.generator, {
    seed: config.seed,
    threads: config.guardrail.threads,
  });
  try {
    const runDirectory = values.run ?? join('state', 'runs', id);
    const report = await playGame({
      config,
      runDirectory,
      resume: values.resume,
      generator,
      rate,
      observer: observers([createConsole(), metrics]),
      modelsDirectory: values.out,
      id,
      activate: values.activate,
    });
    const rounds = report.rounds.map(({ round, meanAuprc, gap, kl, value, published }) => ({
      round,
      auprc: meanAuprc,
      gap,
      kl,
      value,
      checkpoint: published?.checkpoint ?? null,
    }));
    process.stdout.write(
      `${JSON.stringify({ report: join(runDirectory, 'report.json'), stopped: report.stopped, rounds }, null, 2)}\n`,
    );
  } finally {
    await generator.release();
    await metricsServer?.close();
  }
}

type Values = {
  config?: string | undefined;
  data?: string[] | undefined;
  rounds?: string | undefined;
  seed?: string | undefined;
};

/** The saved settings of a resumed run, else those of the file; single ones overridden. */
function readConfig({ config, data, rounds, seed }: Values, saved: GameConfig | undefined): GameConfig {
  const path = config ?? DEFAULT_CONFIG;
  const settings = saved !== undefined && config === undefined ? saved : readJson(path);
  const parsed = gameConfigSchema.safeParse({
    ...settings,
    ...(rounds === undefined ? {} : { rounds: toNumber('--rounds', rounds) }),
    ...(seed === undefined ? {} : { seed: toNumber('--seed', seed) }),
    ...(data === undefined ? {} : { data: { ...(settings['data'] as object), sources: data } }),
  });
  if (!parsed.success) throw new GameError(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function readJson(path: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new GameError(`${path}: ${(cause as Error).message}`, { cause });
  }
}

function toNumber(option: string, text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number)) throw new GameError(`${option} takes a whole number`);
  return number;
}

function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

/** Progress bars and a line for each stage and round, on the standard error. */
function createConsole(): GameObserver {
  let bar: { stage: Stage; progress: Progress } | undefined;
  const log = (line: string) => {
    process.stderr.write(`${line}\n`);
  };
  const endBar = () => {
    bar?.progress.finish();
    bar = undefined;
  };
  return {
    log,
    stageBegan: (round, stage) => {
      log(`round ${round}: ${stage}`);
    },
    progress(stage, done, total, unit) {
      bar ??= { stage, progress: createProgress({ total, unit }) };
      bar.progress.update(done);
      if (done >= total) endBar();
    },
    stageEnded(round, stage, seconds) {
      endBar();
      log(`round ${round}: ${stage} took ${seconds.toFixed(1)} s`);
    },
    roundEnded: (report) => log(describeRound(report)),
  };
}

function describeRound({ round, heldOut, gap, kl, attack, published }: RoundReport): string {
  const percent = (value: number | null) => (value === null ? '-' : (100 * value).toFixed(1));
  const languages = heldOut.map(({ lang, auprc, fpr }) => `${lang} AUPRC ${percent(auprc)} FPR ${percent(fpr)}`);
  const kept = Object.entries(attack?.kept ?? {}).map(([lang, count]) => `${lang} ${count}`);
  const end =
    published === null
      ? ''
      : published.checkpoint === null
        ? `\n  not published: ${published.reasons.join('; ')}`
        : `\n  published ${published.checkpoint}`;
  return [
    `round ${round}: ${languages.join(', ')}`,
    `\n  best-response gap ${percent(gap)}, KL ${kl.toFixed(3)} nats`,
    kept.length > 0 ? `, kept ${kept.join(', ')}` : '',
    end,
  ].join('');
}
