import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { DuoguardError } from '../../errors.ts';

/** Servers may share a state directory; one of them downloads, the others find the result. */
const LOCK = '.downloading.json';
const BEAT_MS = 5_000;
/** Longer than any pause of a process that still lives, and than clocks of two hosts differ. */
const STALE_MS = 60_000;

const holderSchema = z.object({ host: z.string(), pid: z.number(), started: z.number() });
type Holder = z.infer<typeof holderSchema>;

/** Resolves with the function that unlocks. Throws `checkpoint_busy`. */
export async function lockDownloads(directory: string): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, LOCK);
  const mine = JSON.stringify(self());
  if (!(await create(path, mine))) {
    if (await isHeld(path)) throw busy();
    await rm(path, { force: true });
    if (!(await create(path, mine))) throw busy();
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS).unref();
  return async () => {
    clearInterval(beat);
    // Somebody else's, if this process was stopped for so long that it seemed dead.
    const now = await readFile(path, 'utf8').catch(() => undefined);
    if (now === mine) await rm(path, { force: true });
  };
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(content).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isHeld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || Date.now() - found.mtimeMs > STALE_MS) return false;
  const holder = await readFile(path, 'utf8')
    .then((text) => holderSchema.parse(JSON.parse(text)))
    // Being written at this moment, or by a process that died while it wrote; in time it is stale.
    .catch(() => undefined);
  return holder === undefined || isAlive(holder);
}

/** A process of another host is alive while it beats. */
function isAlive({ host, pid, started }: Holder): boolean {
  const me = self();
  if (host !== me.host) return true;
  // In a container every process that ever ran has the same number.
  if (pid === me.pid) return started === me.started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function self(): Holder {
  return { host: hostname(), pid: process.pid, started: Math.round(performance.timeOrigin) };
}

function busy(): DuoguardError {
  return new DuoguardError('checkpoint_busy', {
    message: 'Another server downloads into the same state directory.',
  });
}
