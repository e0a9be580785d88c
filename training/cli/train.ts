import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { guardrailConfigSchema } from '../guardrail/config.ts';
import { trainGuardrail } from '../guardrail/run.ts';
import { generatorCommand } from './generator.ts';
import { mergeCommand } from './merge.ts';
import { playCommand } from './play.ts';
import { reportCommand } from './report.ts';

const USAGE = `Usage: npm run train -- guardrail [options]
       npm run train -- play [options]        the game against a generator; play --help
       npm run train -- report --run DIR      writes the page of a game's report again
       npm run train -- merge [options]       one checkpoint of several runs; merge --help
       npm run train -- generator [options]   the policy that games begin with; generator --help

Trains a guardrail from scratch and publishes it as a checkpoint directory.

  --data PATH       rows to train on: a .jsonl or .jsonl.gz file, a directory of them, or seeds (this project's own
                    corpus). May be repeated. Default: seeds
  --text PATH       more texts, in the same form, for learning the tokenizer only. May be repeated
  --tokenizer FILE  use this tokenizer.json instead of learning one
  --word-lists DIR  published lists of profane words, exchanged for those of the other language in translated rows
  --config FILE     settings as JSON; what it leaves out has its default
  --out DIR         where checkpoints are published. Default: state/models
  --id ID           name of the checkpoint. Default: guardrail-<date and time>
  --run DIR         journal and state of this run. Default: state/runs/<id>
  --resume          continue the run in --run after a kill, with the data and settings it began with
  --activate        point active.json at the new checkpoint
  --float           keep the float model beside the int8 one
  --save-every S    seconds between saved states. Default: 120
`;

async function main(): Promise<void> {
  if (process.argv[2] === 'play') return playCommand(process.argv.slice(3));
  if (process.argv[2] === 'report') return reportCommand(process.argv.slice(3));
  if (process.argv[2] === 'merge') return mergeCommand(process.argv.slice(3));
  if (process.argv[2] === 'generator') return generatorCommand(process.argv.slice(3));
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      data: { type: 'string', multiple: true },
      text: { type: 'string', multiple: true, default: [] },
      tokenizer: { type: 'string' },
      'word-lists': { type: 'string' },
      config: { type: 'string' },
      out: { type: 'string', default: join('state', 'models') },
      id: { type: 'string' },
      run: { type: 'string' },
      resume: { type: 'boolean', default: false },
      activate: { type: 'boolean', default: false },
      float: { type: 'boolean', default: false },
      'save-every': { type: 'string', default: '120' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || positionals.length === 0) {
    process.stdout.write(USAGE);
    return;
  }
  if (positionals.join(' ') !== 'guardrail')
    throw new Error(`there is nothing to train called ${positionals.join(' ')}`);
  const saveEvery = Number(values['save-every']);
  if (!(saveEvery > 0)) throw new Error('--save-every takes a number of seconds');
  if (values.resume && values.run === undefined) throw new Error('--resume needs --run, the directory to continue in');

  const saved = values.resume ? savedSettings(values.run as string) : undefined;
  const id =
    values.id ?? `guardrail-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}`;
  const wordLists = values['word-lists'] ?? saved?.wordLists;
  const { figures, steps, minutes } = await trainGuardrail({
    config: readConfig(values.config ?? saved?.config),
    data: values.data ?? saved?.data ?? ['seeds'],
    text: values.text,
    ...(values.tokenizer === undefined ? {} : { tokenizer: values.tokenizer }),
    ...(wordLists === undefined ? {} : { wordLists }),
    runDirectory: values.run ?? join('state', 'runs', id),
    resume: values.resume,
    id,
    modelsDirectory: values.out,
    activate: values.activate,
    keepFloat: values.float,
    saveEvery,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(
    `${JSON.stringify({ checkpoint: join(values.out, id), steps, minutes, held_out: figures }, null, 2)}\n`,
  );
}

/** Takes a file's path, or settings that a run has saved. */
function readConfig(source: string | object | undefined) {
  const named = typeof source === 'string';
  const parsed = guardrailConfigSchema.safeParse(named ? readJson(source) : (source ?? {}));
  if (!parsed.success) throw new Error(`${named ? source : 'settings'}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** What a resumed run goes on with unless the command says otherwise. */
function savedSettings(run: string): { data: string[]; wordLists?: string; config: object } | undefined {
  const path = join(run, 'config.json');
  return existsSync(path) ? (readJson(path) as { data: string[]; wordLists?: string; config: object }) : undefined;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
