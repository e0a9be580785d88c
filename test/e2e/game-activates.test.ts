import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { publishedDir } from '../../src/checkpoint/places.ts';
import { setActive } from '../../src/checkpoint/publish.ts';
import { playGame } from '../../training/game/play-game.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';
import { startProcess } from '../support/server-process.ts';
import { createToyGenerator, rateToy, toyConfig, toyRows } from '../support/toy-game.ts';

it('what a game publishes goes live in a running server, and no request fails', async () => {
  const places = createPlaces();
  await addCheckpoint(places.shippedDir, 'before');
  await setActive(places.shippedDir, 'before');
  const server = startProcess(
    [
      '--models-dir',
      places.shippedDir,
      '--state-dir',
      places.stateDir,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--workers',
      '1',
    ],
    {},
    temporaryDirectory(),
  );
  const { port } = await server.waitFor('listening');
  await server.waitFor('ready');

  const failures: string[] = [];
  const served: string[] = [];
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/classify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'zorbat winter garden' }),
    }).catch((error: unknown) => String(error));
    if (typeof response === 'string' || !response.ok) {
      failures.push(typeof response === 'string' ? response : await response.text());
      return;
    }
    const { checkpoint } = (await response.json()) as { checkpoint: string };
    if (served.at(-1) !== checkpoint) served.push(checkpoint);
  };
  let over = false;
  const asking = (async () => {
    while (!over) {
      await ask();
      await sleep(5);
    }
  })();

  const directory = temporaryDirectory();
  const data = join(directory, 'toy.jsonl');
  writeFileSync(data, toyRows(6000));
  const { rounds } = await playGame({
    config: toyConfig(data),
    runDirectory: join(directory, 'run'),
    resume: false,
    generator: createToyGenerator(),
    rate: rateToy,
    observer: {
      log: () => {},
      stageBegan: () => {},
      progress: () => {},
      stageEnded: () => {},
      roundEnded: () => {},
    },
    modelsDirectory: publishedDir(places),
    id: 'toy',
    activate: true,
  });
  const published = rounds.flatMap(({ published }) => published?.checkpoint ?? []);
  expect(published.length).toBeGreaterThan(0);
  while (served.at(-1) !== published.at(-1) && failures.length === 0) await sleep(20);
  over = true;
  await asking;

  expect(failures).toEqual([]);
  expect(served[0]).toBe('before');
  expect(served.at(-1)).toBe(published.at(-1));
}, 120_000);
