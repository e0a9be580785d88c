import { join } from 'node:path';
import { fixtureManifest, temporaryDirectory, writeFixtureCheckpoint } from './fixture-checkpoint.ts';
import { expectedScores } from './fixture-model.ts';

/** A server's two directories, empty. */
export function createPlaces() {
  const root = temporaryDirectory();
  return { shippedDir: join(root, 'models'), stateDir: join(root, 'state') };
}

/** Puts a whole checkpoint into `root`, whose signs have the logit `loud`; returns its directory. */
export function addCheckpoint(root: string, id: string, loud = 4): Promise<string> {
  const { canaries } = fixtureManifest(id);
  return writeFixtureCheckpoint(join(root, id), {
    model: { loud },
    manifest: { id, canaries: canaries.map(({ text }) => ({ text, scores: expectedScores(text, loud) })) },
  });
}
