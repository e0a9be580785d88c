import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));

export interface ServerProcess {
  readonly child: ChildProcess;
  /** Log lines so far, parsed. */
  readonly log: Record<string, unknown>[];
  readonly stderr: () => string;
  /** The exit status; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** The first log line with this message; rejects when the process ends without it. */
  waitFor(message: string): Promise<Record<string, unknown>>;
}

/** The built program as a process of its own. Killed when the test ends. */
export function startProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): ServerProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    // Not the caller's environment: a PORT set there would change what is tested.
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const log: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) log.push(parseLine(line));
    for (const check of waiting) check();
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));

  return {
    child,
    log,
    stderr: () => stderr,
    exited,
    waitFor(message) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const line = log.find((entry) => entry['msg'] === message);
          if (line === undefined) return;
          waiting.delete(check);
          resolve(line);
        };
        waiting.add(check);
        check();
        void exited.then((code) =>
          reject(new Error(`ended with ${code} before "${message}": ${stderr}${JSON.stringify(log.at(-1))}`)),
        );
      });
    },
  };
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { msg: line };
  }
}
