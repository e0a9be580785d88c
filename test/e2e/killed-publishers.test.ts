import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { publishedDir } from '../../src/checkpoint/places.ts';
import { setActive } from '../../src/checkpoint/publish.ts';
import { readManifest } from '../../src/checkpoint/read-manifest.ts';
import { readActiveId } from '../../src/checkpoint/resolve.ts';
import { verifyFiles } from '../../src/checkpoint/verify-files.ts';
import { seededRandom } from '../../training/random.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';
import { startProcess } from '../support/server-process.ts';

const PUBLISHER = fileURLToPath(new URL('../support/publisher.mjs', import.meta.url));
const PUBLISHES = 50;
/** About as many as one publish has, so that a few come to their end. */
const STEPS = 30;

function startPublisher(modelsDir: string): ChildProcess {
  const child = fork(PUBLISHER, [modelsDir], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Publishes and kills the process a moment after it began its step `step`, or when it is done. */
async function publishAndKill(
  child: ChildProcess,
  order: { id: string; source: string },
  step: number,
  waitMs: number,
) {
  const reached = new Promise<boolean>((resolve) => {
    child.on('message', (said: number | 'done') => {
      if (said === 'done' || said >= step) resolve(said === 'done');
    });
  });
  child.send(order);
  if (!(await reached)) await sleep(waitMs);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  expect((await ended)[1]).toBe('SIGKILL');
}

/** Each checkpoint gives a sign a probability of its own: an answer tells whose it is. */
const loudOf = (number: number) => 1 + number / 20;
const probability = (logit: number) => 1 / (1 + Math.exp(-logit));

test('whenever a publisher is killed, whole checkpoints answer, and the newest one in the end', async () => {
  const places = createPlaces();
  const published = publishedDir(places);
  mkdirSync(published, { recursive: true });
  await addCheckpoint(places.shippedDir, 'p0', loudOf(0));
  await setActive(places.shippedDir, 'p0');
  const sources = temporaryDirectory();
  for (let number = 1; number <= PUBLISHES + 1; number++) await addCheckpoint(sources, `p${number}`, loudOf(number));

  const server = startProcess(
    ['--host', '127.0.0.1', '--port', '0', '--workers', '1', '--checkpoint-poll-ms', '100'],
    { DUOGUARD_MODELS_DIR: places.shippedDir, DUOGUARD_STATE_DIR: places.stateDir },
    temporaryDirectory(),
  );
  const { port } = await server.waitFor('listening');
  await server.waitFor('ready');
  const traffic = askWithoutPause(`http://127.0.0.1:${port}/classify`);

  const random = seededRandom(50);
  const outcomes = { unseen: 0, whole: 0, active: 0 };
  let next = startPublisher(published);
  for (let number = 1; number <= PUBLISHES; number++) {
    const [publisher, id] = [next, `p${number}`];
    // The one after it starts meanwhile.
    next = startPublisher(published);
    await publishAndKill(publisher, { id, source: join(sources, id) }, 1 + Math.floor(random() * STEPS), 4 * random());
    const active = await readActiveId(published).catch(() => undefined);
    // Whatever was cut off, what is named is whole.
    if (active !== undefined) await expectWhole(published, active);
    outcomes[active === id ? 'active' : existsSync(join(published, id)) ? 'whole' : 'unseen']++;
    await sleep(100 * random());
  }
  const last = `p${PUBLISHES + 1}`;
  next.send({ id: last, source: join(sources, last) });
  await expect.poll(() => traffic.lastId(), { timeout: 30_000 }).toBe(last);
  const { answers, flaws, ids } = await traffic.stop();
  expect(flaws).toEqual([]);
  expect(answers).toBeGreaterThan(PUBLISHES);
  expect(ids.size).toBeGreaterThan(3);
  ids.delete('p0');
  for (const id of ids) await expectWhole(published, id);
  expect(server.log.filter(({ msg }) => msg === 'checkpoint refused')).toEqual([]);
  // Deaths of each kind: before it could be seen, before it was named, after.
  expect(Math.min(...Object.values(outcomes)), JSON.stringify(outcomes)).toBeGreaterThan(2);
}, 240_000);

async function expectWhole(root: string, id: string): Promise<void> {
  const directory = join(root, id);
  await verifyFiles(directory, (await readManifest(directory)).files, []);
}

/** Asks one question after the other, with hardly a pause, and notes every answer that is not whole. */
function askWithoutPause(url: string) {
  const [flaws, ids] = [[] as string[], new Set<string>()];
  let [answers, lastId, stopped] = [0, '', false];
  const body = JSON.stringify({ input: [`a text with ${signOf('hate')}`, `${signOf('hate')} again`] });
  onTestFinished(() => {
    stopped = true;
  });
  const asking = (async () => {
    while (!stopped) {
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      const text = await answer.text();
      answers++;
      const { checkpoint, results = [] } = JSON.parse(text) as Answer;
      const expected = probability(loudOf(Number(checkpoint?.slice(1))));
      const right = results.filter(({ category_scores: { hate } }) => Math.abs(hate - expected) < 1e-4);
      if (answer.status !== 200 || right.length !== 2) flaws.push(`${answer.status} ${text}`);
      lastId = checkpoint ?? '';
      ids.add(lastId);
      await sleep(5);
    }
  })().catch((error) => flaws.push(String(error)));
  return {
    lastId: () => lastId,
    async stop() {
      stopped = true;
      await asking;
      return { answers, flaws, ids };
    },
  };
}

interface Answer {
  readonly checkpoint?: string;
  readonly results?: readonly { readonly category_scores: { readonly hate: number } }[];
}
