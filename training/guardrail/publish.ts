import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeWindows } from '../../src/checkpoint/encode.ts';
import type { ManifestWithoutFiles } from '../../src/checkpoint/publish.ts';
import { publishCheckpoint } from '../../src/checkpoint/publish.ts';
import { relativeScore } from '../../src/policy/decide.ts';
import { CATEGORIES, perCategory } from '../../src/taxonomy.ts';
import { normalize } from '../../src/text/normalize.ts';
import { loadTokenizer, type TextTokenizer } from '../../src/text/tokenizer.ts';
import { mergeWindows } from '../../src/text/windows.ts';
import { averagePrecision, expectedCalibrationError } from '../evaluation/metrics.ts';
import { encodeModel, type OnnxModel } from '../graph/onnx.ts';
import { EMBEDDING, embeddingRows } from '../models/encoder.ts';
import { type CalibrationLimits, calibrateThresholds, flaggedF1 } from './calibrate.ts';
import { CANARY_TEXTS } from './canary-texts.ts';
import type { GuardrailConfig } from './config.ts';
import { type Corpus, CorpusBuilder } from './corpus.ts';
import type { DataSummary } from './load-corpus.ts';
import { modelCard } from './model-card.ts';
import { groupQuotas } from './sampling.ts';
import { scoreCorpus } from './score.ts';
import { type Member, servingModels } from './serving-model.ts';
import { fitTemperature } from './temperature.ts';

export interface PublishInput {
  readonly id: string;
  readonly modelsDirectory: string;
  readonly activate: boolean;
  /** Write the float model beside the int8 one. */
  readonly keepFloat: boolean;
  readonly config: GuardrailConfig;
  readonly tokenizerJson: object;
  /** What was trained; several serve as one. All have the token limit of `config`. */
  readonly members: readonly Member[];
  readonly heldOut: Corpus;
  readonly sources: readonly DataSummary[];
  readonly languages: readonly string[];
  readonly minutes: number;
  readonly steps: number;
  /** Settings of every member where there are several. */
  readonly memberConfigs?: readonly GuardrailConfig[];
  /** Where a game published it: the checkpoint before, the number of rounds, and what identifies the run. */
  readonly game?: { readonly parent: string | null; readonly rounds: number; readonly run: string };
}

/** What held-out rows say of a checkpoint; balanced like the training draw. */
export interface HeldOutFigures {
  readonly rows: number;
  readonly f1: number;
  readonly falsePositiveRate: number;
  readonly recall: number;
  /** Expected calibration error of the overall score. */
  readonly ece: number;
  readonly auprc_float: number;
  readonly auprc_int8: number;
}

/** F1 alone would accept one false alarm in four on held-out rows: more than people who are flagged put up with. */
export const CALIBRATION_LIMITS: CalibrationLimits = { minGain: 5e-4, maxFalsePositiveRate: 0.15 };

/** Exports, quantises, calibrates, proves and publishes. Returns the figures that stand in the manifest. */
export async function publishGuardrail(input: PublishInput): Promise<HeldOutFigures> {
  const { config, heldOut } = input;
  const tokenizer = loadTokenizer(input.tokenizerJson);
  const models = servingModels(input.members, await temperatureFor(input));
  const probabilities = await scoreCorpus(models.int8, heldOut, config.threads);
  const rows = { probabilities, unsafe: heldOut.unsafe, weights: balancedWeights(heldOut, config) };
  const thresholds = calibrateThresholds(rows, CALIBRATION_LIMITS).map((threshold) => Number(threshold.toFixed(4)));
  const figures = {
    ...heldOutFigures(rows, thresholds),
    auprc_float: auprc(await scoreCorpus(models.float, heldOut, config.threads), heldOut),
    auprc_int8: auprc(probabilities, heldOut),
  };
  const canaries = await scoreCanaries(models.int8, tokenizer, config);
  const manifest: ManifestWithoutFiles = {
    format: 1,
    id: input.id,
    created: new Date().toISOString(),
    parent: input.game?.parent ?? null,
    architecture: { kind: 'duoguard-encoder', ...parameterCounts(input.members), ...encodersOf(input.members) },
    labels: [...CATEGORIES],
    thresholds: perCategory((_, index) => thresholds[index]!),
    max_tokens: config.encoder.maxTokens,
    languages: [...input.languages],
    model: 'model.onnx',
    ...(input.keepFloat ? { model_float: 'model_float.onnx' } : {}),
    tokenizer: 'tokenizer.json',
    canaries,
    // Wide enough for other CPUs' rounding of int8 activations, far too narrow for a wrong model.
    canary_tolerance: 0.05,
    evaluation: { held_out: figures },
    training: {
      seed: config.seed,
      rounds: input.game?.rounds ?? 0,
      config: { ...config },
      ...(input.memberConfigs === undefined ? {} : { member_configs: input.memberConfigs }),
      data: input.sources.map((source) => ({ ...source })),
      minutes: input.minutes,
      steps: input.steps,
      ...(input.game === undefined ? {} : { run: input.game.run }),
    },
  };
  const write = async (directory: string): Promise<ManifestWithoutFiles> => {
    await writeFile(join(directory, 'model.onnx'), encodeModel(models.int8));
    if (input.keepFloat) await writeFile(join(directory, 'model_float.onnx'), encodeModel(models.float));
    await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(input.tokenizerJson));
    await writeFile(join(directory, 'README.md'), modelCard(manifest, figures));
    return manifest;
  };
  await publishCheckpoint(input.modelsDirectory, input.id, write, { activate: input.activate });
  return figures;
}

/** By what to divide the logits so that the overall score is about the probability of being unsafe. */
async function temperatureFor({ members, heldOut, config }: PublishInput): Promise<number> {
  const probabilities = await scoreCorpus(servingModels(members, 1).int8, heldOut, config.threads);
  const rows = { probabilities, unsafe: heldOut.unsafe, weights: balancedWeights(heldOut, config) };
  const thresholds = calibrateThresholds(rows, CALIBRATION_LIMITS);
  const margins = Float64Array.from(overallScores(rows, thresholds), (score) => Math.log(score / (1 - score)));
  return fitTemperature({ ...rows, margins });
}

/** Of each row the highest category relative to its threshold, as the server scores it. Never 0 or 1. */
function overallScores({ probabilities, unsafe }: Rows, thresholds: readonly number[]): number[] {
  return Array.from(unsafe, (_, row) => {
    const relative = thresholds.map((t, c) => relativeScore(probabilities[row * thresholds.length + c]!, t));
    return Math.min(1 - LEAST_SCORE, Math.max(LEAST_SCORE, ...relative));
  });
}

/** Keeps logits finite. */
const LEAST_SCORE = 1e-7;

function parameterCounts(members: readonly Member[]): { parameters: number; embedding_parameters: number } {
  const counts = { parameters: 0, embedding_parameters: 0 };
  for (const { encoder, parameters } of members) {
    const embedding = embeddingRows(encoder) * encoder.embedding;
    if (parameters.get(EMBEDDING)?.length !== embedding) throw new Error('the embedding table has another size');
    counts.embedding_parameters += embedding;
    for (const values of parameters.values()) counts.parameters += values.length;
  }
  return counts;
}

function encodersOf(members: readonly Member[]) {
  const encoders = members.map(({ encoder }) => encoder);
  return encoders.length === 1 ? { encoder: encoders[0]! } : { encoders };
}

/** Each row's share of what one training pass would draw of its group. */
export function balancedWeights(corpus: Corpus, config: GuardrailConfig): Float32Array {
  const weights = new Float32Array(corpus.unsafe.length);
  const quotas = groupQuotas(corpus.groups, 1e6, config.balance);
  for (const [index, { rows }] of corpus.groups.entries())
    for (const row of rows) weights[row] = quotas[index]! / rows.length;
  return weights;
}

type Rows = Parameters<typeof flaggedF1>[0];

function heldOutFigures(rows: Rows, thresholds: readonly number[]) {
  const total = { safe: 0, unsafe: 0, falsePositives: 0, truePositives: 0 };
  for (let row = 0; row < rows.unsafe.length; row++) {
    const weight = rows.weights[row]!;
    const flagged = thresholds.some((threshold, c) => rows.probabilities[row * thresholds.length + c]! >= threshold);
    total[rows.unsafe[row] ? 'unsafe' : 'safe'] += weight;
    if (flagged) total[rows.unsafe[row] ? 'truePositives' : 'falsePositives'] += weight;
  }
  return {
    rows: rows.unsafe.length,
    f1: flaggedF1(rows, thresholds),
    falsePositiveRate: total.falsePositives / total.safe,
    recall: total.truePositives / total.unsafe,
    ece: expectedCalibrationError(Array.from(rows.unsafe, Boolean), overallScores(rows, thresholds), rows.weights) ?? 0,
  };
}

/** Average precision of the highest probability over the held-out rows, each counted once. */
function auprc(probabilities: Float32Array, { unsafe }: Corpus): number {
  const scores = Array.from(unsafe, (_, row) =>
    Math.max(...probabilities.subarray(row * CATEGORIES.length, (row + 1) * CATEGORIES.length)),
  );
  return averagePrecision(Array.from(unsafe, Boolean), scores) ?? Number.NaN;
}

async function scoreCanaries(model: OnnxModel, tokenizer: TextTokenizer, config: GuardrailConfig) {
  const served = { manifest: { max_tokens: config.encoder.maxTokens }, tokenizer };
  const canaries: { text: string; scores: number[] }[] = [];
  for (const text of CANARY_TEXTS) {
    const windows: Float32Array[] = [];
    // One at a time: activations are quantised per batch, so neighbours would change the result.
    for (const ids of encodeWindows(served, tokenizer.encode(normalize(text).text))) {
      const builder = new CorpusBuilder();
      builder.add({ ids, unsafe: false, categories: [], source: 'canary', lang: 'und' });
      windows.push(await scoreCorpus(model, builder.build(), config.threads));
    }
    canaries.push({ text, scores: [...mergeWindows(windows)] });
  }
  return canaries;
}
