// Runs the steps of the Dockerfile without a container engine: each stage in a directory of its own, with the files
// that .dockerignore lets through as the context. Then it starts the last stage's CMD, waits for its HEALTHCHECK,
// classifies, stops it, and checks what the image would hold.
//
//   node .ci/prove-dockerfile.mjs [--models DIR]     DIR takes the place of models/ in the context
//
// It needs the package registry. FROM and USER are read but not acted on: the Node that runs this stands for the base.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const PORT = '18080';
const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values: options } = parseArgs({ options: { models: { type: 'string' } } });
const work = mkdtempSync(join(tmpdir(), 'duoguard-image-'));

try {
  const image = buildStages(parse(readFileSync(join(repository, 'Dockerfile'), 'utf8')), createContext());
  inspect(image);
  await runImage(image);
  console.log('The Dockerfile holds.');
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Joins continued lines and drops comments. */
function parse(text) {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line) ?? fail(`not an instruction: ${line}`);
    return { name, rest };
  });
}

/** Tracked files below the entries that .dockerignore lets through. */
function createContext() {
  const context = join(work, 'context');
  const allowed = readFileSync(join(repository, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...allowed], {
    cwd: repository,
    encoding: 'utf8',
  });
  for (const path of list.split('\0').filter((entry) => entry !== '' && existsSync(join(repository, entry)))) {
    copy(join(repository, path), join(context, path));
  }
  if (options.models !== undefined) cpSync(options.models, join(context, 'models'), { recursive: true });
  return context;
}

function buildStages(instructions, context) {
  const stages = new Map();
  let stage;
  for (const { name, rest } of instructions) {
    switch (name) {
      case 'FROM': {
        const alias = / AS (\S+)$/i.exec(rest)?.[1] ?? 'final';
        stage = { root: join(work, alias), directory: '/', env: {}, healthcheck: undefined, command: undefined };
        mkdirSync(stage.root);
        stages.set(alias, stage);
        break;
      }
      case 'WORKDIR':
        stage.directory = rest;
        mkdirSync(join(stage.root, rest), { recursive: true });
        break;
      case 'ENV':
        for (const pair of rest.split(/\s+/))
          stage.env[pair.slice(0, pair.indexOf('='))] = pair.slice(pair.indexOf('=') + 1);
        break;
      case 'COPY': {
        const parts = rest.split(/\s+/);
        const from = parts[0].startsWith('--from=') ? stages.get(parts.shift().slice('--from='.length)).root : context;
        const target = parts.pop();
        for (const source of parts) {
          const into = target.endsWith('/') ? join(target, source.split('/').pop()) : target;
          copy(join(from, source), join(stage.root, stage.directory, into));
        }
        break;
      }
      case 'RUN':
        console.log(`RUN ${rest}`);
        execFileSync('/bin/sh', ['-ec', rest], {
          cwd: join(stage.root, stage.directory),
          stdio: ['ignore', 'inherit', 'inherit'],
          env: environment(stage),
        });
        break;
      case 'HEALTHCHECK':
        stage.healthcheck = JSON.parse(rest.slice(rest.indexOf('CMD ') + 4));
        break;
      case 'CMD':
        stage.command = JSON.parse(rest);
        break;
      case 'USER':
      case 'EXPOSE':
        break;
      default:
        fail(`${name} is not known to this script`);
    }
  }
  return stage;
}

function inspect(image) {
  const modules = join(image.root, image.directory, 'node_modules');
  for (const name of ['typescript', 'vitest', '@biomejs']) {
    if (existsSync(join(modules, name))) fail(`the image holds ${name}`);
  }
  const native = join(modules, 'onnxruntime-node/bin');
  const platforms = readdirSync(native).flatMap((api) =>
    readdirSync(join(native, api)).flatMap((os) => readdirSync(join(native, api, os)).map((arch) => `${os}/${arch}`)),
  );
  if (platforms.join() !== `linux/${process.arch}`) fail(`the image holds libraries for ${platforms}`);
  // The server loads it at the first feedback only.
  const opened = 'new (require("libsql"))(":memory:").prepare("SELECT 1").all()';
  execFileSync(process.execPath, ['-e', opened], { cwd: join(image.root, image.directory), stdio: 'inherit' });
  console.log(
    `/app is ${megabytes(join(image.root, image.directory))} MB, of which node_modules ${megabytes(modules)} MB`,
  );
}

async function runImage(image) {
  const cwd = join(image.root, image.directory);
  const before = listFiles(cwd);
  const env = { ...environment(image), PORT };
  const server = spawn(image.command[0], image.command.slice(1), { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const exited = new Promise((resolve) => server.once('exit', (code) => resolve(code)));
  try {
    await healthy(image, env, server);
    const answer = await fetch(`http://127.0.0.1:${PORT}/classify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"input":"How do I bake bread?"}',
    });
    if (answer.status !== 200) fail(`classifying answered ${answer.status}: ${await answer.text()}`);
    const page = await fetch(`http://127.0.0.1:${PORT}/`);
    if (page.status !== 200) fail(`the playground answered ${page.status}`);
  } finally {
    server.kill('SIGTERM');
  }
  const code = await exited;
  if (code !== 0) fail(`the server ended with status ${code}`);
  const written = listFiles(cwd).filter((path) => !before.includes(path));
  if (written.length > 0) fail(`the server wrote ${written}`);
}

async function healthy(image, env, server) {
  for (let attempt = 0; attempt < 60 && server.exitCode === null; attempt++) {
    try {
      execFileSync(image.healthcheck[0], image.healthcheck.slice(1), { env });
      return;
    } catch {
      await sleep(500);
    }
  }
  fail('the health check never passed');
}

/** Nothing of the caller's npm (a script that runs under `npm run` inherits its settings) except where to find tools. */
function environment(stage) {
  const { PATH, HOME, npm_config_registry, npm_config_cache, NODE_EXTRA_CA_CERTS } = process.env;
  return Object.fromEntries(
    Object.entries({ PATH, HOME, npm_config_registry, npm_config_cache, NODE_EXTRA_CA_CERTS, ...stage.env }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}

function copy(source, target) {
  mkdirSync(dirname(target), { recursive: true });
  cpSync(source, target, { recursive: true, verbatimSymlinks: true });
}

function listFiles(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' });
}

function megabytes(directory) {
  const bytes = listFiles(directory).reduce((sum, path) => {
    const info = statSync(join(directory, path), { throwIfNoEntry: false });
    return sum + (info?.isFile() ? info.size : 0);
  }, 0);
  return Math.round(bytes / 1e6);
}

function fail(message) {
  throw new Error(message);
}
