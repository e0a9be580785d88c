import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setActive } from '../../src/checkpoint/publish.ts';
import { readManifest } from '../../src/checkpoint/read-manifest.ts';
import type { DataSummary } from '../guardrail/load-corpus.ts';
import { publishGuardrail } from '../guardrail/publish.ts';
import { calibrationRows } from './calibration-rows.ts';
import type { GameRow } from './contract.ts';
import { type Game, missing, roundFile } from './game.ts';
import { GameError } from './game-error.ts';
import { decidePromotion, type GateDecision } from './gate.ts';
import type { GuardrailRecord } from './guardrail-player.ts';
import type { RoundEvaluation } from './measure.ts';

export interface Publication extends GateDecision {
  /** Round of the guardrail that it was compared with. */
  readonly against: number;
  /** The published checkpoint's name. */
  readonly checkpoint: string | null;
}

/**
 * Publishes the round's guardrail if it passes the gate against the last one that did, at first against round 0, which
 * is only a base to compare with and is never published itself.
 */
export async function publishRound(
  game: Game,
  round: number,
  evaluation: RoundEvaluation,
  rows: readonly GameRow[],
): Promise<Publication> {
  const { config, directory, plan } = game;
  return directory.json<Publication>(roundFile(round, 'published.json'), async () => {
    const before = await lastPublished(game, round);
    const name = roundFile(before.round, 'evaluation.json');
    const incumbent = await directory.json<RoundEvaluation>(name, () => missing(directory.file(name)));
    const decision = decidePromotion(evaluation.heldOut, incumbent.heldOut, config.gate);
    const checkpoint = decision.passed ? await publish(game, round, rows, before.checkpoint) : null;
    if (checkpoint !== null && plan.activate) await setActive(plan.modelsDirectory, checkpoint);
    return { ...decision, against: before.round, checkpoint };
  });
}

export function checkpointOf(id: string, round: number): string {
  return `${id}-r${round}`;
}

async function lastPublished({ directory }: Game, round: number) {
  for (let before = round - 1; before > 0; before--) {
    const name = roundFile(before, 'published.json');
    const { checkpoint } = await directory.json<Publication>(name, () => missing(directory.file(name)));
    if (checkpoint !== null) return { round: before, checkpoint };
  }
  return { round: 0, checkpoint: null };
}

async function publish(game: Game, round: number, rows: readonly GameRow[], parent: string | null): Promise<string> {
  const { directory, guardrail, plan } = game;
  const checkpoint = checkpointOf(plan.id, round);
  const target = join(plan.modelsDirectory, checkpoint);
  const run = `${plan.id}/${round}`;
  if (existsSync(target)) {
    // A kill came after the rename and before the record of it.
    const { training } = await readManifest(target);
    if (training['run'] === run) return checkpoint;
    throw new GameError(`${target} is a checkpoint of another run; resume under another --id`);
  }
  const { steps } = await directory.json<GuardrailRecord>(roundFile(round, 'guardrail.json'), () => missing(target));
  await publishGuardrail({
    id: checkpoint,
    modelsDirectory: plan.modelsDirectory,
    activate: false,
    keepFloat: false,
    config: guardrail.config,
    tokenizerJson: guardrail.tokenizerJson,
    members: [
      { encoder: guardrail.config.encoder, parameters: await guardrail.parameters(roundFile(round, 'guardrail.bin')) },
    ],
    heldOut: guardrail.corpus(await calibrationRows(game)),
    sources: sourcesOf(rows),
    languages: [...new Set(rows.map(({ lang }) => lang))].sort(),
    minutes: 0,
    steps,
    game: { parent, rounds: round, run },
  });
  return checkpoint;
}

function sourcesOf(rows: readonly GameRow[]): readonly DataSummary[] {
  const sources = new Map<string, DataSummary>();
  for (const { source, license } of rows) {
    const before = sources.get(source);
    sources.set(source, { source, license, rows: (before?.rows ?? 0) + 1 });
  }
  return [...sources.values()].sort((a, b) => (a.source < b.source ? -1 : 1));
}
