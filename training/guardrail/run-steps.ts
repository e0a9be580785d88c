import type { Progress } from '../cli/progress.ts';
import type { Corpus } from './corpus.ts';
import type { JournalEntry } from './journal.ts';
import type { Schedule } from './schedule.ts';
import type { GuardrailTrainer } from './trainer.ts';

const JOURNAL_EVERY = 50;

export interface StepHooks {
  readonly journal: (entry: JournalEntry) => void;
  readonly save: () => void;
  readonly saveEvery: number;
  readonly progress: Progress;
}

/** Trains until the schedule is through. Throws when the loss is no number any more. */
export async function runSteps(
  trainer: GuardrailTrainer,
  corpus: Corpus,
  schedule: Schedule,
  hooks: StepHooks,
): Promise<void> {
  const window = { loss: 0, tokens: 0, steps: 0, began: performance.now() };
  let saved = performance.now();
  while (trainer.step < schedule.steps) {
    const learningRate = schedule.learningRate(trainer.step);
    const { loss, gradientNorm, tokens } = await trainer.train(
      corpus,
      schedule.microBatches(trainer.step),
      learningRate,
    );
    if (!Number.isFinite(loss))
      throw new Error(`the loss became ${loss} at step ${trainer.step}; lower the learning rate`);
    window.loss += loss;
    window.tokens += tokens;
    window.steps++;
    const tokensPerSecond = Math.round(window.tokens / ((performance.now() - window.began) / 1000));
    hooks.progress.update(trainer.step, `loss ${(window.loss / window.steps).toFixed(4)}, ${tokensPerSecond} tokens/s`);
    if (window.steps === JOURNAL_EVERY) {
      hooks.journal({
        event: 'step',
        step: trainer.step,
        loss: window.loss / window.steps,
        gradientNorm,
        learningRate,
        tokensPerSecond,
      });
      Object.assign(window, { loss: 0, tokens: 0, steps: 0, began: performance.now() });
    }
    if (performance.now() - saved >= hooks.saveEvery * 1000) {
      hooks.save();
      saved = performance.now();
    }
  }
  hooks.progress.finish();
}
