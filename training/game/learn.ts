import type { PreferenceFigures, PreferencePair } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import { type Game, roundFile } from './game.ts';

/** `null`: there was nothing to learn from, or the generator does not learn in this game. */
export interface GeneratorRecord {
  readonly figures: PreferenceFigures | null;
}

/** The generator before the first round, which is the reference of the KL. */
export async function keepInitialGenerator({ directory, generator }: Game): Promise<void> {
  await directory.json<GeneratorRecord>(roundFile(0, 'generator.json'), () => {
    directory.save(roundFile(0, 'generator.bin'), (path) => generator.save(path));
    return { figures: null };
  });
}

/** Preference optimisation against the policy of the round before. Written to generator.bin. */
export async function trainGenerator(
  { config, directory, generator, observer }: Game,
  round: number,
  pairs: readonly PreferencePair[],
): Promise<GeneratorRecord> {
  return directory.json<GeneratorRecord>(roundFile(round, 'generator.json'), async () => {
    generator.restore(directory.file(roundFile(round - 1, 'generator.bin')));
    const options = { ...config.generator, seed: derivedSeed(config.seed, `learn ${round}`) };
    const figures =
      config.learn && pairs.length > 0
        ? await generator.learn(pairs, options, (done, total) =>
            observer.progress('train-generator', done, total, 'pairs'),
          )
        : null;
    directory.save(roundFile(round, 'generator.bin'), (path) => generator.save(path));
    return { figures };
  });
}
