import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireFreeId } from '../../src/checkpoint/publish.ts';
import { loadTokenizer, type TextTokenizer } from '../../src/text/tokenizer.ts';
import { createProgress } from '../cli/progress.ts';
import { readDataset } from '../data/dataset.ts';
import { type ProfaneWords, readProfaneWords, WORD_LISTS } from '../lexicon/profanity.ts';
import { createTranslator } from '../lexicon/translator.ts';
import { vocabularyTokens } from '../tokenizer/template.ts';
import { trainTokenizer } from '../tokenizer/train.ts';
import { type GuardrailConfig, guardrailConfigSchema } from './config.ts';
import type { Corpus } from './corpus.ts';
import { appendJournal, type JournalEntry, minutesBefore } from './journal.ts';
import { type DataSummary, type LoadedCorpora, loadCorpora } from './load-corpus.ts';
import { type HeldOutFigures, publishGuardrail } from './publish.ts';
import { loadRunState, RunStateError, saveRunState } from './run-state.ts';
import { runSteps } from './run-steps.ts';
import { Schedule } from './schedule.ts';
import { GuardrailTrainer } from './trainer.ts';

export interface RunOptions {
  readonly config: GuardrailConfig;
  /** Data sets to train on: paths, or `seeds`. */
  readonly data: readonly string[];
  /** More texts for the tokenizer only. */
  readonly text: readonly string[];
  /** A `tokenizer.json` to use instead of training one. */
  readonly tokenizer?: string;
  /** Directory of published lists of profane words, for rows that are translated. */
  readonly wordLists?: string;
  /** Holds settings, tokenizer, journal and state; what a resumed run continues from. */
  readonly runDirectory: string;
  readonly resume: boolean;
  readonly id: string;
  readonly modelsDirectory: string;
  readonly activate: boolean;
  readonly keepFloat: boolean;
  /** Seconds between saved states. */
  readonly saveEvery: number;
  readonly log: (line: string) => void;
}

export interface RunResult {
  readonly figures: HeldOutFigures;
  readonly steps: number;
  readonly minutes: number;
}

/** Trains a guardrail from data to a published checkpoint. Killed at any moment it can go on, to the same result. */
export async function trainGuardrail(options: RunOptions): Promise<RunResult> {
  const { runDirectory } = options;
  const began = performance.now();
  if (!options.resume) await requireFreeId(options.modelsDirectory, options.id);
  openRun(options);
  const tokenizerJson = await prepareTokenizer(options);
  const tokenizer = loadTokenizer(tokenizerJson);
  const config = guardrailConfigSchema.parse({
    ...options.config,
    encoder: { ...options.config.encoder, vocabSize: tokenizer.vocabSize },
  });
  const corpora = await readCorpora(options, tokenizer, config);
  const trainer = await GuardrailTrainer.create(config, vocabularyTokens(tokenizerJson));
  const files = { state: join(runDirectory, 'state.bin'), journal: join(runDirectory, 'journal.jsonl') };
  const earlier = minutesBefore(files.journal);
  const fingerprint = fingerprintOf(config, corpora.train);
  const state = loadRunState(files.state, fingerprint);
  if (state) trainer.restore(state);

  const schedule = new Schedule(corpora.train, config);
  const journal = (entry: JournalEntry): void => appendJournal(files.journal, entry);
  journal({ event: state ? 'resumed' : 'started', step: trainer.step, steps: schedule.steps });
  await runSteps(trainer, corpora.train, schedule, {
    journal,
    save,
    saveEvery: options.saveEvery,
    progress: createProgress({ total: schedule.steps, unit: 'steps' }),
  });
  save();

  const minutes = minutesNow();
  const figures = await publishGuardrail({
    ...options,
    ...corpora,
    config,
    tokenizerJson,
    members: [{ encoder: config.encoder, parameters: trainer.servingParameters() }],
    minutes,
    steps: trainer.step,
  });
  journal({ event: 'published', step: trainer.step, checkpoint: options.id, minutes });
  await trainer.release();
  return { figures, steps: trainer.step, minutes };

  function save(): void {
    saveRunState(files.state, fingerprint, trainer.state());
    journal({ event: 'saved', step: trainer.step, minutes: minutesNow() });
  }

  function minutesNow(): number {
    return earlier + (performance.now() - began) / 60_000;
  }
}

function fingerprintOf(
  config: GuardrailConfig,
  { ids, offsets, categories, known, unsafe, weights, groups }: Corpus,
): string {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const part of [ids, offsets, categories, known, unsafe, weights]) hash.update(part);
  for (const { source, lang, origin, rows } of groups) hash.update(JSON.stringify([source, lang, origin])).update(rows);
  return hash.digest('hex');
}

function openRun({ runDirectory, resume, config, data, wordLists }: RunOptions): void {
  const started = existsSync(join(runDirectory, 'config.json'));
  if (started && !resume) throw new RunStateError(`${runDirectory} holds a run already: --resume continues it`);
  if (!started && resume) throw new RunStateError(`${runDirectory} holds no run to resume`);
  mkdirSync(runDirectory, { recursive: true });
  if (!started)
    writeFileSync(join(runDirectory, 'config.json'), `${JSON.stringify({ data, wordLists, config }, null, 2)}\n`);
}

/** The run's tokenizer: the one it already has, the given one, or a new one learned from all its texts. */
async function prepareTokenizer({ runDirectory, tokenizer, data, text, config, log }: RunOptions): Promise<object> {
  const path = join(runDirectory, 'tokenizer.json');
  const known = existsSync(path) ? path : tokenizer;
  if (known !== undefined) {
    const json = readFileSync(known, 'utf8');
    if (known !== path) writeWhole(path, json);
    return JSON.parse(json) as object;
  }
  log('reading texts for the tokenizer');
  const texts: string[] = [];
  for (const name of [...data, ...text]) {
    for await (const row of (await readDataset(name === 'seeds' ? 'seeds:train' : name)).rows()) texts.push(row.text);
  }
  log(`learning a tokenizer of ${config.encoder.vocabSize} tokens from ${texts.length} texts`);
  const json = trainTokenizer(texts, { vocabSize: config.encoder.vocabSize });
  writeWhole(path, JSON.stringify(json));
  return json;
}

/** A kill leaves the whole file or none. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.next`, text);
  renameSync(`${path}.next`, path);
}

/** All rows of a run, copies by lexicon included. */
export async function readCorpora(
  { data, wordLists, log }: Pick<RunOptions, 'data' | 'wordLists' | 'log'>,
  tokenizer: TextTokenizer,
  { encoder, translateTo, translatedShare, disguisedShare, seed }: GuardrailConfig,
): Promise<LoadedCorpora> {
  const onRow = (rows: number): void => {
    if (rows % 100_000 === 0) log(`${rows} rows read`);
  };
  const profane = wordLists === undefined ? undefined : readProfaneWords(wordLists);
  const translators = translateTo.map((language) => createTranslator(language, seed, profane));
  const copies = { translators, translatedShare, disguisedShare, seed };
  const corpora = await loadCorpora(data, tokenizer, encoder.maxTokens, copies, onRow);
  log(`${corpora.train.unsafe.length} rows to train on, ${corpora.heldOut.unsafe.length} held out`);
  return profane === undefined ? corpora : { ...corpora, sources: [...corpora.sources, wordListSummary(profane)] };
}

function wordListSummary(profane: ProfaneWords): DataSummary {
  const words = [...profane.values()].reduce((sum, list) => sum + list.length, 0);
  return { ...WORD_LISTS, rows: words };
}
