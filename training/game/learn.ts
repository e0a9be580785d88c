import type { PreferenceFigures, PreferenceOptions, PreferencePair } from '../generator/contract.ts';
import { STIC_ALPHA } from '../objectives/dpo.ts';
import { derivedSeed } from '../random.ts';
import type { GameConfig } from './config.ts';
import { type Game, roundFile, stage } from './game.ts';
import { pairingOf, policyBeforeLearning } from './pair-candidates.ts';
import { onlineRecord } from './pair-online.ts';
import { drawTranslations, spin } from './spin.ts';

/** `null`: there was nothing to learn from, or the generator does not learn in this game. */
export interface GeneratorRecord {
  readonly figures: PreferenceFigures | null;
}

/** The generator before the first round, which is the reference of the KL. With `warmup: spin` it has played SPIN. */
export async function keepInitialGenerator(game: Game): Promise<void> {
  const { config, directory, generator } = game;
  await directory.json<GeneratorRecord>(roundFile(0, 'generator.json'), async () => {
    if (config.warmup === 'spin') {
      await stage(game, 0, 'train-generator', async () => spin(game, await drawTranslations(game)));
    }
    directory.save(roundFile(0, 'generator.bin'), (path) => generator.save(path));
    return { figures: null };
  });
}

/** Preference optimisation against the policy that the round's pairs come from. Written to generator.bin. */
export async function trainGenerator(
  game: Game,
  round: number,
  pairs: readonly PreferencePair[],
): Promise<GeneratorRecord> {
  const { config, directory, generator } = game;
  return directory.json<GeneratorRecord>(roundFile(round, 'generator.json'), async () => {
    generator.restore(directory.file(policyBeforeLearning(config, round)));
    const figures = config.learn && pairs.length > 0 ? await learnFrom(game, round, pairs) : null;
    directory.save(roundFile(round, 'generator.bin'), (path) => generator.save(path));
    return { figures };
  });
}

async function learnFrom(
  game: Game,
  round: number,
  pairs: readonly PreferencePair[],
): Promise<PreferenceFigures | null> {
  const { config, generator, observer } = game;
  // Learned already, while it was written.
  if (pairingOf(config) === 'online') return (await onlineRecord(game, round)).figures;
  return generator.learn(pairs, preferenceOptions(config, round), (done, total) =>
    observer.progress('train-generator', done, total, 'pairs'),
  );
}

function preferenceOptions(config: GameConfig, round: number): PreferenceOptions {
  const options = { ...config.generator, seed: derivedSeed(config.seed, `learn ${round}`) };
  return pairingOf(config) === 'corrupted' ? { ...options, objective: 'stic', nllWeight: STIC_ALPHA } : options;
}
