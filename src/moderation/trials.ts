import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type CheckpointRegistry, createRegistry } from '../checkpoint/registry.ts';
import { DuoguardError } from '../errors.ts';
import type { Policies } from '../policy/policies.ts';
import { createClassifier } from './classify.ts';
import { NO_FIGURES, type Trial } from './trial.ts';
import { judgeTrial, type TrialRule } from './trial-rule.ts';

export interface TrialsOptions {
  readonly loadBeside: (id: string) => Promise<Checkpoint>;
  /** Those of the server: what a candidate answers is judged by them too. */
  readonly policies: Pick<Policies, 'find'>;
  readonly rule: TrialRule;
  /** A canary passed: make it serve. Whatever it rejects with, the trial is over. */
  readonly promote: (trial: Trial) => Promise<void>;
  /** A canary did not pass. */
  readonly failed: (trial: Trial, error: DuoguardError) => void;
}

/** At most one candidate at a time, with workers of its own. */
export interface Trials {
  readonly current: Trial | undefined;
  /** Resolves when the candidate takes part. Throws `checkpoint_*`. */
  start(id: string, kind: Trial['kind'], share: number): Promise<void>;
  /** Ends the trial of `id`, or any; false when there is none. The candidate finishes what it has. */
  stop(id?: string): boolean;
  /** To be called after each change of the figures. */
  judge(trial: Trial): void;
  close(): Promise<void>;
}

export function createTrials({ loadBeside, policies, rule, promote, failed }: TrialsOptions): Trials {
  let running: { readonly trial: Trial; readonly registry: CheckpointRegistry } | undefined;
  const ending = new Set<Promise<void>>();

  function end(): void {
    if (running === undefined) return;
    const ended: Promise<void> = running.registry.close().finally(() => ending.delete(ended));
    ending.add(ended);
    running = undefined;
  }

  return {
    get current() {
      return running?.trial;
    },

    async start(id, kind, share) {
      if (running !== undefined) throw new DuoguardError('checkpoint_busy');
      const checkpoint = await loadBeside(id);
      if (running !== undefined) {
        await checkpoint.close();
        throw new DuoguardError('checkpoint_busy');
      }
      const registry = createRegistry(checkpoint);
      const candidate = createClassifier({ registry, policies });
      running = { registry, trial: { id, kind, share, candidate, figures: NO_FIGURES } };
    },

    stop(id) {
      if (running === undefined || (id !== undefined && running.trial.id !== id)) return false;
      end();
      return true;
    },

    judge(trial) {
      if (trial !== running?.trial || trial.kind === 'shadow') return;
      const judged = judgeTrial(trial.figures, rule);
      if (judged.decision === 'continue') return;
      end();
      if (judged.decision === 'promote') void promote(trial);
      if (judged.decision === 'roll_back')
        failed(trial, new DuoguardError('checkpoint_trial_failed', { message: `On trial, ${judged.reason}.` }));
    },

    async close() {
      end();
      await Promise.all(ending);
    },
  };
}
