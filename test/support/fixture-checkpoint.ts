import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { LoadOptions } from '../../src/checkpoint/load.ts';
import { createManifestFiles, type ManifestWithoutFiles } from '../../src/checkpoint/publish.ts';
import { CATEGORIES, perCategory } from '../../src/taxonomy.ts';
import { tokenizerJson } from '../../training/tokenizer/template.ts';
import { expectedScores, type FixtureModelOptions, fixtureModel, signOf, VOCABULARY } from './fixture-model.ts';

const temporary: string[] = [];
afterAll(() => {
  for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
});

/** Removed when the test file ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'duoguard-'));
  temporary.push(directory);
  return directory;
}

/** Settings small enough that tests reach every limit. */
export const FIXTURE_LOAD_OPTIONS: LoadOptions = {
  provider: 'cpu',
  workers: 1,
  intraOpThreads: 1,
  maxBatchTokens: 512,
  maxBatchSequences: 16,
  queue: { maxSequences: 256, maxTokens: 65_536 },
};

export const FIXTURE_MAX_TOKENS = 64;

export function fixtureManifest(id = 'fixture'): ManifestWithoutFiles {
  const texts = ['a calm text', ...CATEGORIES.map((category) => `a text with ${signOf(category)}`)];
  return {
    format: 1,
    id,
    created: '2025-01-01T00:00:00Z',
    parent: null,
    architecture: { kind: 'fixture', parameters: VOCABULARY * CATEGORIES.length },
    labels: [...CATEGORIES],
    thresholds: perCategory(() => 0.5),
    max_tokens: FIXTURE_MAX_TOKENS,
    languages: ['en'],
    model: 'model.onnx',
    tokenizer: 'tokenizer.json',
    canaries: texts.map((text) => ({ text, scores: expectedScores(text) })),
    canary_tolerance: 0.001,
    evaluation: {},
    training: { seed: 0, rounds: 0, config: {}, data: [] },
  };
}

/** Writes everything but the manifest. */
export function writeFixtureFiles(directory: string, model: FixtureModelOptions = {}): void {
  writeFileSync(join(directory, 'model.onnx'), fixtureModel(model));
  writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(tokenizerJson([])));
}

export interface FixtureOptions {
  readonly model?: FixtureModelOptions;
  /** Runs before sizes and hashes are taken: what it plants is part of the checkpoint. */
  readonly files?: (directory: string) => void;
  readonly manifest?: Partial<Record<keyof ManifestWithoutFiles, unknown>>;
}

/** Writes a whole checkpoint into `directory` and returns it. Faults are planted by options, or in the files afterwards. */
export async function writeFixtureCheckpoint(directory: string, options: FixtureOptions = {}): Promise<string> {
  mkdirSync(directory, { recursive: true });
  writeFixtureFiles(directory, options.model);
  options.files?.(directory);
  const manifest = { ...fixtureManifest(), ...options.manifest, files: await createManifestFiles(directory) };
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  return directory;
}

/** A checkpoint in a temporary directory of its own. */
export function createFixtureCheckpoint(options?: FixtureOptions): Promise<string> {
  return writeFixtureCheckpoint(join(temporaryDirectory(), 'fixture'), options);
}
