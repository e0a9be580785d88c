import type { GenerationTask, PreferencePair } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import type { GameConfig } from './config.ts';
import type { JudgedCandidate } from './contract.ts';
import { corruptedNegatives } from './corrupted-negatives.ts';
import { type Game, roundFile } from './game.ts';
import { poolsOf } from './mixed-pools.ts';
import { ONLINE_POLICY, pairOnline } from './pair-online.ts';
import { formPairs } from './pairs.ts';
import { pairAfterSupervision, SUPERVISED_POLICY } from './supervised-restart.ts';

export type Pairing = 'round' | 'corrupted' | 'online' | 'sft-rl';

/** The settings allow one of these at a time. A generator that does not learn needs none. */
export function pairingOf({ learn, negatives, pairs, schedule }: GameConfig): Pairing {
  if (!learn) return 'round';
  if (pairs.mode === 'online') return 'online';
  if (schedule === 'sft-rl') return 'sft-rl';
  return negatives === 'corrupted' ? 'corrupted' : 'round';
}

/** What the generator is to learn from in this round. */
export async function pairCandidates(
  game: Game,
  round: number,
  tasks: readonly GenerationTask[],
  judged: readonly JudgedCandidate[],
): Promise<readonly PreferencePair[]> {
  const { config } = game;
  const seed = derivedSeed(config.seed, `round ${round}`);
  const pairing = pairingOf(config);
  switch (pairing) {
    case 'round':
      return formPairs(tasks, await poolsOf(game, round, tasks, judged), config.pairs, seed);
    case 'corrupted':
      return formPairs(tasks, await corruptedNegatives(game, round, tasks, judged), config.pairs, seed);
    case 'online':
      return pairOnline(game, round, tasks);
    case 'sft-rl':
      return pairAfterSupervision(game, round, tasks, judged);
    default:
      return pairing satisfies never;
  }
}

/** File of the policy that a round's preference learning goes on from. */
export function policyBeforeLearning(config: GameConfig, round: number): string {
  switch (pairingOf(config)) {
    case 'online':
      return roundFile(round, ONLINE_POLICY);
    case 'sft-rl':
      return roundFile(round, SUPERVISED_POLICY);
    default:
      return roundFile(round - 1, 'generator.bin');
  }
}
