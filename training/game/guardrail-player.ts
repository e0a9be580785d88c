import { createHash } from 'node:crypto';
import { loadTokenizer, type TextTokenizer } from '../../src/text/tokenizer.ts';
import type { OnProgress } from '../generator/contract.ts';
import { calibrateThresholds } from '../guardrail/calibrate.ts';
import { type GuardrailConfig, guardrailConfigSchema } from '../guardrail/config.ts';
import { type Corpus, CorpusBuilder } from '../guardrail/corpus.ts';
import { toCorpusRow } from '../guardrail/load-corpus.ts';
import { balancedWeights, CALIBRATION_LIMITS } from '../guardrail/publish.ts';
import { loadRunState, saveRunState } from '../guardrail/run-state.ts';
import { runSteps } from '../guardrail/run-steps.ts';
import { Schedule } from '../guardrail/schedule.ts';
import { scoreCorpus } from '../guardrail/score.ts';
import { floatServingModel } from '../guardrail/serving-model.ts';
import { GuardrailTrainer } from '../guardrail/trainer.ts';
import { vocabularyTokens } from '../tokenizer/template.ts';
import type { GameRow } from './contract.ts';
import { GameError } from './game-error.ts';
import { createJudge, type Judge } from './judge.ts';
import type { RunDirectory } from './run-directory.ts';

export interface GuardrailRecord {
  readonly rows: number;
  readonly steps: number;
  /** By category, in the taxonomy's order. */
  readonly thresholds: readonly number[];
}

/** The defender of the game: trains guardrails of one shape on growing sets, and brings them back from their files. */
export class GuardrailPlayer {
  readonly config: GuardrailConfig;
  readonly tokenizerJson: object;
  readonly #tokenizer: TextTokenizer;
  readonly #directory: RunDirectory;
  readonly #shape: string;

  constructor(config: GuardrailConfig, tokenizerJson: object, directory: RunDirectory) {
    this.tokenizerJson = tokenizerJson;
    this.#tokenizer = loadTokenizer(tokenizerJson);
    const encoder = { ...config.encoder, vocabSize: this.#tokenizer.vocabSize };
    this.config = guardrailConfigSchema.parse({ ...config, encoder });
    this.#directory = directory;
    const shape = [this.config.encoder, this.config.characters, tokenizerJson];
    this.#shape = createHash('sha256').update(JSON.stringify(shape)).digest('hex');
  }

  /** Trains on all rows, from scratch or from the state in `warmStart`, and writes the state to `file`. */
  async train(
    rows: readonly GameRow[],
    calibration: readonly GameRow[],
    file: string,
    warmStart: string | undefined,
    onProgress: OnProgress,
  ): Promise<GuardrailRecord> {
    const corpus = this.corpus(rows);
    const config = { ...this.config, rowsPerEpoch: this.#rowsOfPass(rows) };
    const trainer = await GuardrailTrainer.create(config, vocabularyTokens(this.tokenizerJson));
    try {
      if (warmStart !== undefined) {
        const { parameters, table } = this.#load(warmStart);
        trainer.parameters.values.set(parameters);
        trainer.table.values.set(table);
      }
      const schedule = new Schedule(corpus, config);
      await runSteps(trainer, corpus, schedule, {
        journal: () => {},
        save: () => {},
        saveEvery: Number.POSITIVE_INFINITY,
        progress: { update: (done) => onProgress(done, schedule.steps), finish: () => {} },
      });
      const thresholds = await this.#calibrate(trainer.servingParameters(), calibration);
      this.#directory.save(file, (path) => saveRunState(path, this.#shape, trainer.state()));
      return { rows: rows.length, steps: trainer.step, thresholds };
    } finally {
      await trainer.release();
    }
  }

  async openJudge(file: string, { thresholds }: GuardrailRecord): Promise<Judge> {
    return createJudge(this.config, this.#tokenizer, await this.parameters(file), thresholds);
  }

  /** Values of the serving graph's parameters by name. */
  async parameters(file: string): Promise<ReadonlyMap<string, Float32Array>> {
    const state = this.#load(file);
    const trainer = await GuardrailTrainer.create(this.config, vocabularyTokens(this.tokenizerJson));
    try {
      trainer.restore(state);
      return trainer.servingParameters();
    } finally {
      await trainer.release();
    }
  }

  corpus(rows: readonly GameRow[]): Corpus {
    const builder = new CorpusBuilder();
    for (const row of rows) {
      const encoded = toCorpusRow(row, row.source, this.#tokenizer, this.config.encoder.maxTokens);
      builder.add(row.weight === undefined ? encoded : { ...encoded, weight: row.weight });
    }
    return builder.build();
  }

  /** As many as there are, each counted with the weight of its source: a set that grew is also learned for longer. */
  #rowsOfPass(rows: readonly GameRow[]): number {
    const { sourceWeights } = this.config.balance;
    return Math.round(rows.reduce((sum, { source }) => sum + (sourceWeights[source] ?? 1), 0));
  }

  async #calibrate(
    parameters: ReadonlyMap<string, Float32Array>,
    rows: readonly GameRow[],
  ): Promise<readonly number[]> {
    const corpus = this.corpus(rows);
    const model = floatServingModel([{ encoder: this.config.encoder, parameters }]);
    const probabilities = await scoreCorpus(model, corpus, this.config.threads);
    const weights = balancedWeights(corpus, this.config);
    return calibrateThresholds({ probabilities, unsafe: corpus.unsafe, weights }, CALIBRATION_LIMITS);
  }

  #load(file: string) {
    const path = this.#directory.file(file);
    const state = loadRunState(path, this.#shape);
    if (state === undefined) throw new GameError(`${path} is missing; remove its .json beside it to train it again`);
    return state;
  }
}
