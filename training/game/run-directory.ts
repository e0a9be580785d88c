import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { GameError } from './game-error.ts';

/** Carries out whatever is written, so that a test can fail or stop at any of it. */
export interface Disk {
  /** `write` leaves the whole file at `path` or throws. */
  save(path: string, write: (path: string) => void): void;
}

const realDisk: Disk = { save: (path, write) => write(path) };

/**
 * The files of a run. Each stage has its own, which is written whole, by rename, once the stage is through; a stage whose
 * file is there is not done again. As every stage is a function of settings and earlier files, a run that was killed
 * anywhere goes on to the same bytes.
 */
export class RunDirectory {
  readonly path: string;
  readonly #disk: Disk;

  constructor(path: string, disk: Disk = realDisk) {
    this.path = path;
    this.#disk = disk;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return existsSync(this.file(name));
  }

  /** The stored value, or the one that `compute` gives now. */
  async json<T>(name: string, compute: () => T | Promise<T>): Promise<T> {
    if (this.has(name)) return this.#parse<T>(name, readFileSync(this.file(name), 'utf8'), 1);
    const value = await compute();
    this.writeText(name, `${JSON.stringify(value, null, 2)}\n`);
    return value;
  }

  /** As `json`, for a list with one line each. */
  async lines<T>(name: string, compute: () => readonly T[] | Promise<readonly T[]>): Promise<readonly T[]> {
    if (this.has(name)) {
      const lines = readFileSync(this.file(name), 'utf8').split('\n').slice(0, -1);
      return lines.map((line, index) => this.#parse<T>(name, line, index + 1));
    }
    const values = await compute();
    this.writeText(name, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    return values;
  }

  writeText(name: string, text: string): void {
    this.save(name, (path) => writeWhole(path, text));
  }

  /** Throws a `GameError` that names the file when it can't be written. */
  save(name: string, write: (path: string) => void): void {
    const path = this.file(name);
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#disk.save(path, write);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      throw new GameError(
        `cannot write ${path}: ${full ? 'the disk is full; make room and resume the run' : message}`,
        { cause: error },
      );
    }
  }

  /** Adds a line to the journal. What a kill left half written is cut off first. */
  journal(entry: object): void {
    const path = this.file('journal.jsonl');
    try {
      cutHalfLine(path);
      appendFileSync(path, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
    } catch (error) {
      throw new GameError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  #parse<T>(name: string, text: string, line: number): T {
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      const place = `${this.file(name)}:${line}`;
      throw new GameError(`${place}: not JSON; remove the file to have its stage done again`, { cause });
    }
  }
}

/** A kill or a full disk leaves the file of before, or none. */
function writeWhole(path: string, text: string): void {
  const beside = `${path}.next`;
  try {
    const file = openSync(beside, 'w');
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function cutHalfLine(path: string): void {
  if (!existsSync(path)) return;
  const bytes = readFileSync(path);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) truncateSync(path, whole);
}
