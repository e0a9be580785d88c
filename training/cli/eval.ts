import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import { resolveActive } from '../../src/checkpoint/resolve.ts';
import { DuoguardError } from '../../src/errors.ts';
import { availableCores } from '../../src/inference/cores.ts';
import { createClassifier } from '../../src/moderation/classify.ts';
import type { ItemVerdict } from '../../src/moderation/contract.ts';
import { readDataset } from '../data/dataset.ts';
import { evaluate, type LabelledRow } from '../evaluation/evaluate.ts';
import { scoreTexts } from '../evaluation/score.ts';
import { startForEvaluation } from '../evaluation/serving.ts';
import { formatReport } from '../evaluation/table.ts';
import { createProgress } from './progress.ts';

const USAGE = `Usage: npm run -s eval -- --data FILE [options]

Scores labelled texts exactly as the server does and prints quality by benchmark and language.

  --data PATH          rows {"text", "unsafe": 0|1, "lang"?, "benchmark"?, "categories"?}: a .jsonl or .jsonl.gz file,
                       a directory of them, seeds, seeds:train or seeds:held-out
  --checkpoint ID|DIR  an id in the models directory, a directory, active or latest; default: active
  --models DIR         the models directory; default: DUOGUARD_MODELS_DIR or models
  --float              the checkpoint's float model instead of the one it serves
  --workers N          inference threads; default: one for each core
  --json FILE          write the report as JSON
  --predictions FILE   write a line {"score", "flagged", "category_scores"} for each row, in input order
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      checkpoint: { type: 'string' },
      models: { type: 'string', default: process.env['DUOGUARD_MODELS_DIR'] ?? 'models' },
      float: { type: 'boolean', default: false },
      workers: { type: 'string', default: String(availableCores()) },
      json: { type: 'string' },
      predictions: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.data === undefined) throw new Error('--data is missing; --help shows how to call');
  const workers = Number(values.workers);
  if (!Number.isInteger(workers) || workers < 1) throw new Error('--workers takes a whole number from 1');

  const { texts, labels } = await readLabelled(values.data);
  const directory = await resolveActive(values.models, asDirectory(values.checkpoint));
  const checkpoint = await startForEvaluation(directory, workers, values.float);
  const registry = createRegistry(checkpoint);
  const progress = createProgress({ total: texts.length, unit: 'texts' });
  const began = performance.now();
  const options = { concurrency: 4 * workers, onProgress: (done: number) => progress.update(done) };
  const verdicts = await scoreTexts(createClassifier({ registry }), texts, options).finally(async () => {
    progress.finish();
    await registry.close();
  });

  const report = {
    checkpoint: checkpoint.id,
    model: values.float ? 'float' : 'served',
    data: values.data,
    seconds: (performance.now() - began) / 1000,
    ...evaluate(labels, verdicts),
  };
  if (values.predictions !== undefined) await writePredictions(values.predictions, verdicts);
  if (values.json !== undefined) await writeJson(values.json, report);
  process.stdout.write(`checkpoint ${checkpoint.id} (${report.model} model), ${report.n} texts\n\n`);
  process.stdout.write(formatReport(report));
}

async function readLabelled(data: string): Promise<{ texts: string[]; labels: LabelledRow[] }> {
  const texts: string[] = [];
  const labels: LabelledRow[] = [];
  for await (const { text, benchmark, source, lang, unsafe } of (await readDataset(data)).rows()) {
    texts.push(text);
    labels.push({ benchmark: benchmark ?? source, lang, unsafe });
  }
  if (texts.length === 0) throw new Error(`${data} holds no rows`);
  return { texts, labels };
}

/** `resolveActive` takes what has a slash for a directory; on a command line a directory may come without one. */
function asDirectory(checkpoint: string | undefined): string | undefined {
  return checkpoint !== undefined && existsSync(resolve(checkpoint, 'manifest.json'))
    ? resolve(checkpoint)
    : checkpoint;
}

async function writePredictions(file: string, verdicts: readonly ItemVerdict[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const stream = createWriteStream(file);
  for (const { score, flagged, category_scores } of verdicts) {
    if (!stream.write(`${JSON.stringify({ score, flagged, category_scores })}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await finished(stream);
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const advice = error instanceof DuoguardError ? `\n${error.whatToDo}` : '';
  process.stderr.write(`eval: ${error.message}${advice}\n`);
  process.exitCode = 1;
}
