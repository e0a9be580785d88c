import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireFreeId } from '../../src/checkpoint/publish.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { vocabularyTokens } from '../tokenizer/template.ts';
import { type GuardrailConfig, guardrailConfigSchema } from './config.ts';
import { minutesBefore } from './journal.ts';
import { type HeldOutFigures, publishGuardrail } from './publish.ts';
import { readCorpora } from './run.ts';
import { loadRunState, RunStateError } from './run-state.ts';
import { Schedule } from './schedule.ts';
import type { Member } from './serving-model.ts';
import { GuardrailTrainer } from './trainer.ts';

export interface MergeOptions {
  /** Directories of finished runs on the same data with the same tokenizer. */
  readonly runs: readonly string[];
  readonly id: string;
  readonly modelsDirectory: string;
  readonly activate: boolean;
  readonly keepFloat: boolean;
  readonly log: (line: string) => void;
}

interface FinishedRun {
  readonly data: readonly string[];
  readonly wordLists?: string;
  readonly config: GuardrailConfig;
  readonly tokenizerJson: object;
  readonly member: Member;
  readonly steps: number;
  readonly minutes: number;
}

/**
 * Publishes one checkpoint whose logits are the mean of those of finished runs. Thresholds are set anew on the rows that
 * the runs held out. Throws `RunStateError` when a run is unfinished or differs from the first in its data, its tokenizer
 * or its token limit.
 */
export async function mergeGuardrails(options: MergeOptions): Promise<HeldOutFigures> {
  await requireFreeId(options.modelsDirectory, options.id);
  const runs: FinishedRun[] = [];
  for (const directory of options.runs) runs.push(await readRun(directory));
  const [first, ...others] = runs;
  if (first === undefined || others.length === 0) throw new RunStateError('to merge takes two runs or more');
  for (const [index, run] of others.entries()) requireAlike(first, run, options.runs[index + 1] as string);
  const corpora = await readCorpora({ ...first, log: options.log }, loadTokenizer(first.tokenizerJson), first.config);
  for (const { config, steps } of runs) requireFinished(steps, new Schedule(corpora.train, config).steps);
  return publishGuardrail({
    ...options,
    ...corpora,
    config: first.config,
    tokenizerJson: first.tokenizerJson,
    members: runs.map(({ member }) => member),
    memberConfigs: runs.map(({ config }) => config),
    minutes: sum(runs.map(({ minutes }) => minutes)),
    steps: sum(runs.map(({ steps }) => steps)),
  });
}

async function readRun(directory: string): Promise<FinishedRun> {
  const read = (name: string): string => {
    try {
      return readFileSync(join(directory, name), 'utf8');
    } catch (cause) {
      throw new RunStateError(`${directory} holds no run: ${name} cannot be read`, { cause });
    }
  };
  const { data, wordLists, config: settings } = JSON.parse(read('config.json'));
  const tokenizerJson = JSON.parse(read('tokenizer.json')) as object;
  const { vocabSize } = loadTokenizer(tokenizerJson);
  const config = guardrailConfigSchema.parse({ ...settings, encoder: { ...settings.encoder, vocabSize } });
  const state = loadRunState(join(directory, 'state.bin'));
  if (state === undefined) throw new RunStateError(`${directory} has no state.bin: the run has not trained yet`);
  const trainer = await GuardrailTrainer.create(config, vocabularyTokens(tokenizerJson));
  try {
    trainer.restore(state);
    const member = { encoder: config.encoder, parameters: trainer.servingParameters() };
    const minutes = minutesBefore(join(directory, 'journal.jsonl'));
    return { data, ...(wordLists && { wordLists }), config, tokenizerJson, member, steps: state.step, minutes };
  } finally {
    await trainer.release();
  }
}

function requireAlike(first: FinishedRun, run: FinishedRun, directory: string): void {
  const differs = (what: string): never => {
    throw new RunStateError(`${directory} has ${what} than the first run`);
  };
  if (JSON.stringify(run.tokenizerJson) !== JSON.stringify(first.tokenizerJson)) differs('another tokenizer');
  if (JSON.stringify(run.data) !== JSON.stringify(first.data)) differs('other data');
  if (run.config.encoder.maxTokens !== first.config.encoder.maxTokens) differs('another token limit');
}

function requireFinished(steps: number, planned: number): void {
  if (steps < planned) throw new RunStateError(`a run stands at step ${steps} of ${planned}: finish it with --resume`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
