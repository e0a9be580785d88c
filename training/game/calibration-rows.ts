import { derivedSeed } from '../random.ts';
import type { GameRow } from './contract.ts';
import { SYNTHETIC } from './filter.ts';
import { type Game, roundFile } from './game.ts';
import { requireCandidates } from './generate.ts';
import { isFaithful } from './levels.ts';
import { isRefusal } from './refusals.ts';
import { drawTasks } from './tasks.ts';

/**
 * The rows that set the thresholds of every round: held-out ones, and what the generator of round 0 makes of them in each
 * language of the game. Held-out rows alone are few where a language has little data, and unlike the translated and
 * disguised texts that the guardrail is for: thresholds that keep their limit there let through twice the false positives
 * on such texts.
 */
export async function calibrationRows(game: Game): Promise<readonly GameRow[]> {
  const { base } = game;
  return [...base.calibration, ...(await rewritten(game))];
}

async function rewritten({ base, config, directory, generator, rate, observer }: Game): Promise<readonly GameRow[]> {
  return directory.lines(roundFile(0, 'calibration.jsonl'), async () => {
    const seed = derivedSeed(config.seed, 'calibration');
    const tasks = drawTasks(base.calibration, base.calibration.length, generator, config, seed);
    generator.restore(directory.file(roundFile(0, 'generator.bin')));
    const { temperature } = config.attack;
    const written = await generator.generate(tasks, { count: 1, temperature, seed }, (done, total) =>
      observer.progress('train-guardrail', done, total, 'tasks'),
    );
    return requireCandidates(generator.name, tasks, written).flatMap((own, index) => {
      const { seed: origin, lang } = tasks[index]!;
      return own
        .filter(({ text }) => isFaithful(rate(tasks[index]!, text).rating) && !isRefusal(text))
        .map(({ text }): GameRow => {
          const { unsafe, categories } = origin;
          const license = 'as their originals';
          return { id: `${origin.id}>${lang}`, text, lang, unsafe, categories, source: SYNTHETIC, license, round: 0 };
        });
    });
  });
}
