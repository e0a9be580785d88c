import type { PreferenceFigures, PreferencePair } from '../generator/contract.ts';
import { readTranslationPairs, type TranslationPair } from '../generator/rewriter/translations.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import type { GameConfig } from './config.ts';
import { type Game, roundFile } from './game.ts';
import { GameError } from './game-error.ts';
import { requireSkill } from './require-skill.ts';

interface SpinRecord {
  /** `null` when the generator writes as the translators do, as far as they tell. */
  readonly figures: PreferenceFigures | null;
}

/**
 * SPIN (arXiv 2401.01335): in each iteration the generator learns to tell a human translation from its own former self's,
 * by DPO's loss against that self with the human as the winner. Each iteration leaves its pairs and its policy in round 0.
 * Leaves the generator as the last iteration made it.
 */
export async function spin(game: Game, translations: readonly TranslationPair[]): Promise<void> {
  const { config, directory, generator, observer } = game;
  const { iterations } = config.spin;
  const first = roundFile(0, 'spin.bin');
  await directory.json(roundFile(0, 'spin.json'), () => {
    directory.save(first, (path) => generator.save(path));
    return { translations: translations.length };
  });
  let earlier: readonly PreferencePair[] = [];
  for (let t = 0; t < iterations; t++) {
    const opponent = t === 0 ? first : roundFile(0, `spin-${t - 1}.bin`);
    const own = await directory.lines(roundFile(0, `spin-${t}.jsonl`), () => {
      generator.restore(directory.file(opponent));
      return playFormerSelf(game, t, translations);
    });
    await directory.json<SpinRecord>(roundFile(0, `spin-${t}.json`), async () => {
      generator.restore(directory.file(opponent));
      const pairs = [...earlier, ...own];
      const figures =
        pairs.length === 0
          ? null
          : await generator.learn(pairs, spinOptions(config, t), (done, total) =>
              observer.progress('train-generator', done, total, 'pairs'),
            );
      directory.save(roundFile(0, `spin-${t}.bin`), (path) => generator.save(path));
      return { figures };
    });
    earlier = own;
  }
  generator.restore(directory.file(roundFile(0, `spin-${iterations - 1}.bin`)));
}

/** The paper's β is 0.1 and 5 in iteration 3, its learning rate 5e-7 and 1e-7 from iteration 2 on. */
export function spinOptions({ seed, spin: { beta, learningRate, epochs, batchPairs } }: GameConfig, t: number) {
  return {
    beta: t < 3 ? beta : 50 * beta,
    learningRate: t < 2 ? learningRate : learningRate / 5,
    nllWeight: 0,
    epochs,
    batchPairs,
    seed: derivedSeed(seed, `spin ${t}`),
  };
}

/** A human's choices against those of the policy as it is. */
async function playFormerSelf(
  { config, generator }: Game,
  t: number,
  translations: readonly TranslationPair[],
): Promise<readonly PreferencePair[]> {
  const imitate = requireSkill(generator, 'imitate', 'warmup spin');
  const seed = derivedSeed(config.seed, `spin candidates ${t}`);
  const written = await generator.generate(
    translations.map(({ task }) => task),
    { count: 1, temperature: 1, seed },
  );
  const generated = written.flatMap(([candidate], i) => (candidate ? [{ ...translations[i]!, candidate }] : []));
  const human = await imitate(
    generated.map(({ task }) => task),
    generated.map(({ candidate }) => candidate),
    generated.map(({ target }) => target),
  );
  return generated.flatMap(({ task, candidate }, i) => {
    const chosen = human[i];
    return chosen ? [{ task, chosen, rejected: candidate }] : [];
  });
}

/**
 * Human translations among the parallel seeds, in the directions that the game rewrites; held-out rows stay out. Throws a
 * `GameError` when there are none.
 */
export async function drawTranslations({ config, generator, base }: Game): Promise<readonly TranslationPair[]> {
  const { attack, languages, seed } = config;
  const all = await readTranslationPairs({
    wanted: (from, to) =>
      from !== to && attack.from.includes(from) && languages.includes(to) && generator.languages(from).includes(to),
  });
  const heldOut = new Set([...base.calibration, ...base.evaluation].map(({ text }) => text));
  const usable = all.filter(({ task, target }) => !heldOut.has(task.seed.text) && !heldOut.has(target));
  if (usable.length === 0) {
    throw new GameError(`no parallel seeds from ${attack.from.join(', ')} to ${languages.join(', ')} for warmup spin`);
  }
  return shuffle(usable, seededRandom(derivedSeed(seed, 'spin translations'))).slice(0, config.spin.pairs);
}
