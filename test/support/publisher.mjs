import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { publishCheckpoint } from '../../dist/src/checkpoint/publish.js';

/**
 * A publisher that is made to be killed. Told `{ id, source }` over IPC, it publishes the checkpoint in `source` into
 * the directory of its first argument, says before each step which one it is, and takes its time.
 */
const [modelsDir] = process.argv.slice(2);
let steps = 0;

process.on('message', ({ id, source }) => void publish(id, source));

async function publish(id, source) {
  await publishCheckpoint(modelsDir, id, (directory) => copyAll(source, directory), { steps: slowSteps });
  process.send('done');
}

async function copyAll(source, directory) {
  for (const name of await readdir(source)) await copySlowly(join(source, name), join(directory, name));
  const { files, ...manifest } = JSON.parse(await readFile(join(source, 'manifest.json'), 'utf8'));
  // It is the publisher that writes the manifest, last.
  await rm(join(directory, 'manifest.json'));
  return manifest;
}

async function copySlowly(from, to) {
  await announce();
  await writeFile(to, (await readFile(from)).subarray(0, 1000));
  await announce();
  await copyFile(from, to);
}

async function announce() {
  process.send(++steps);
  await sleep(1);
}

const slow =
  (step) =>
  async (...given) => {
    await announce();
    await step(...given);
  };

const slowSteps = {
  mkdir: slow((path) => mkdir(path, { recursive: true })),
  writeFile: slow(async (path, content) => {
    await writeFile(path, content.slice(0, content.length / 2));
    await announce();
    await writeFile(path, content);
  }),
  sync: slow(async (path) => {
    const handle = await open(path);
    await handle.sync();
    await handle.close();
  }),
  rename: slow(rename),
  remove: slow((path) => rm(path, { recursive: true, force: true })),
};
