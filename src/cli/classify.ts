import { text as readAll } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { loadCheckpoint } from '../checkpoint/load.ts';
import { createRegistry } from '../checkpoint/registry.ts';
import { resolveActive } from '../checkpoint/resolve.ts';
import { DuoguardError } from '../errors.ts';
import { createClassifier } from '../moderation/classify.ts';
import type { ItemVerdict, Verdict } from '../moderation/contract.ts';
import { CATEGORIES } from '../taxonomy.ts';

const USAGE = `Usage: npm run -s classify -- [options] "text"
       ... | npm run -s classify -- [options]

Prints what the classifier makes of a text, without a server.

  --checkpoint ID|DIR  an id in the models directory, a directory (with a slash), active or latest; default: active
  --models DIR         the models directory; default: DUOGUARD_MODELS_DIR or models
  --json               the verdict as one line of JSON
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      checkpoint: { type: 'string' },
      models: { type: 'string', default: process.env['DUOGUARD_MODELS_DIR'] ?? 'models' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const text = positionals.length > 0 ? positionals.join(' ') : await readAll(process.stdin);
  const verdict = await classifyOnce(await resolveActive(values.models, values.checkpoint), text);
  process.stdout.write(values.json ? `${JSON.stringify(verdict)}\n` : toReadable(verdict));
}

async function classifyOnce(directory: string, text: string): Promise<Verdict> {
  const checkpoint = await loadCheckpoint(directory, {
    provider: 'cpu',
    workers: 1,
    intraOpThreads: 1,
    maxBatchTokens: 16_384,
    maxBatchSequences: 32,
    queue: { maxSequences: 1024, maxTokens: 1_048_576 },
  });
  const registry = createRegistry(checkpoint);
  try {
    const { classify } = createClassifier({ registry });
    return await classify({ items: [text], longInput: 'window', signal: new AbortController().signal });
  } finally {
    await registry.close();
  }
}

const BAR_WIDTH = 20;

function toReadable(verdict: Verdict): string {
  const result = verdict.results[0] as ItemVerdict;
  const scores = CATEGORIES.map((category) => ({ category, score: result.category_scores[category] }))
    .sort((a, b) => b.score - a.score)
    .map(({ category, score }) => {
      const bar = '█'.repeat(Math.round(score * BAR_WIDTH)).padEnd(BAR_WIDTH, '·');
      return `  ${category.padEnd(24)} ${score.toFixed(3)}  ${bar}${result.categories[category] ? '  flagged' : ''}`;
    });
  const headline = result.flagged ? `UNSAFE: ${result.top_category}` : 'SAFE';
  const facts = [
    `checkpoint ${verdict.checkpoint}`,
    plural(result.tokens, 'token'),
    plural(result.windows, 'window'),
    `${verdict.timing_ms.total.toFixed(1)} ms`,
  ];
  return `${headline} (score ${result.score.toFixed(3)}, flagged from 0.5)\n\n${scores.join('\n')}\n\n${facts.join(', ')}\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const advice = error instanceof DuoguardError ? `\n${error.whatToDo}` : '';
  process.stderr.write(`classify: ${error.message}${advice}\n`);
  process.exitCode = 1;
}
