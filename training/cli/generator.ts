import { parseArgs } from 'node:util';
import { SHIPPED_POLICY } from '../generator/rewriter/policy-file.ts';
import { createRewriter } from '../generator/rewriter/rewriter.ts';
import { readTranslationPairs } from '../generator/rewriter/translations.ts';
import { DEFAULT_WARM_UP } from '../generator/rewriter/warm-up.ts';
import { languagesFrom } from '../generator/rewriter/word-sources.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import { createProgress } from './progress.ts';

const USAGE = `Usage: npm run train -- generator [options]

Teaches an untrained rewriter what human translators choose among the options of its edit spaces, and saves the policy
that games begin with.

  --parallel PATH     a .jsonl or .jsonl.gz file of {"en", "xx", "lang"}, or a directory of them; this project's parallel
                      seeds are read as well
  --pairs N           most pairs to learn from, drawn at random. Default: 120000
  --epochs N          Default: ${DEFAULT_WARM_UP.epochs}
  --learning-rate X   Default: ${DEFAULT_WARM_UP.learningRate}
  --seed N            fixes the drawing, the initial values and the order. Default: ${DEFAULT_WARM_UP.seed}
  --threads N         Default: 2
  --out FILE          where the policy is written. Default: the shipped one
`;

/** `npm run train -- generator` */
export async function generatorCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      parallel: { type: 'string' },
      pairs: { type: 'string', default: '120000' },
      epochs: { type: 'string', default: String(DEFAULT_WARM_UP.epochs) },
      'learning-rate': { type: 'string', default: String(DEFAULT_WARM_UP.learningRate) },
      seed: { type: 'string', default: String(DEFAULT_WARM_UP.seed) },
      threads: { type: 'string', default: '2' },
      out: { type: 'string', default: SHIPPED_POLICY },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const most = wholeNumber('--pairs', values.pairs, 1);
  const seed = wholeNumber('--seed', values.seed, 0);
  const options = {
    ...DEFAULT_WARM_UP,
    epochs: wholeNumber('--epochs', values.epochs, 1),
    learningRate: Number(values['learning-rate']),
    seed,
  };
  if (!(options.learningRate > 0)) throw new Error('--learning-rate takes a positive number');

  const wanted = createDirections();
  const all = await readTranslationPairs({
    wanted,
    ...(values.parallel === undefined ? {} : { parallel: values.parallel }),
  });
  const pairs = shuffle(all, seededRandom(derivedSeed(seed, 'translations'))).slice(0, most);
  const rewriter = await createRewriter({ policy: null, seed, threads: wholeNumber('--threads', values.threads, 1) });
  const progress = createProgress({ total: pairs.length * options.epochs, unit: 'pairs' });
  try {
    const figures = await rewriter.warmUp(pairs, options, (done, _, loss) =>
      progress.update(done, `loss ${loss.toFixed(3)}`),
    );
    progress.finish();
    rewriter.save(values.out);
    process.stdout.write(`${JSON.stringify({ policy: values.out, of: all.length, ...figures }, null, 2)}\n`);
  } finally {
    await rewriter.release();
  }
}

/** Directions between different languages that the shipped lexicons lead. */
function createDirections(): (from: string, to: string) => boolean {
  const known = new Map<string, ReadonlySet<string>>();
  return (from, to) => {
    const targets = known.get(from) ?? new Set(languagesFrom(from));
    known.set(from, targets);
    return from !== to && targets.has(to);
  };
}

function wholeNumber(flag: string, value: string, least: number): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < least) throw new Error(`${flag} takes a whole number from ${least}`);
  return number;
}
