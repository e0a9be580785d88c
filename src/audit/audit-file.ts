import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface AuditFile {
  /** Takes a line without its line end. Never waits and never fails. */
  append(line: string): void;
  /** Writes what is left. */
  close(): Promise<void>;
}

export interface AuditFileOptions {
  readonly path: string;
  /** A file is as large as this at most, unless a single line is larger. */
  readonly maxBytes: number;
  /** Files that are kept: `path`, then `path.1`, which is the newest full one, and so on. */
  readonly maxFiles: number;
  /** Told of each failed write; the lines are kept and written later. */
  readonly onError: (error: unknown) => void;
  /** Told how many lines were dropped because too many could not be written. */
  readonly onLost: (lines: number) => void;
  readonly retryMs?: number;
}

/** Characters that wait at most, while the disk is full or slow. */
const MAX_PENDING = 16 * 1024 * 1024;

/**
 *   append --> pending lines --> one write at a time, of as many lines as the file has room for --> rotate
 *
 * Not synchronised to the disk after each line: a power failure may lose the last ones, the end of the process does not.
 * Rejects with the system's error when the file cannot be opened.
 */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  const { path, maxBytes, maxFiles, onError, onLost, retryMs = 1000 } = options;
  let { handle, size } = await openForAppend(path);
  let pending: string[] = [];
  let pendingLength = 0;
  let writing: Promise<void> | undefined;
  let closed = false;

  /** The next lines that fit, at least one. */
  function nextChunk(): { readonly text: string; readonly bytes: number; readonly lines: number } {
    let text = '';
    let bytes = 0;
    let lines = 0;
    for (const line of pending) {
      const more = Buffer.byteLength(line) + 1;
      if (lines > 0 && size + bytes + more > maxBytes) break;
      text += `${line}\n`;
      bytes += more;
      lines++;
      if (size + bytes >= maxBytes) break;
    }
    return { text, bytes, lines };
  }

  async function writeOnce(): Promise<void> {
    const first = Buffer.byteLength(pending[0] as string) + 1;
    if (size > 0 && size + first > maxBytes) {
      await handle.close();
      await shift(path, maxFiles);
      ({ handle, size } = await openForAppend(path));
    }
    const { text, bytes, lines } = nextChunk();
    await handle.appendFile(text);
    size += bytes;
    pendingLength -= text.length;
    pending = pending.slice(lines);
  }

  async function writeAll(): Promise<void> {
    while (pending.length > 0) {
      try {
        await writeOnce();
      } catch (error) {
        onError(error);
        if (closed) return;
        await sleep(retryMs, undefined, { ref: false });
        await reopen();
      }
    }
  }

  /** Half a line may have been written, and the handle may be closed already. */
  async function reopen(): Promise<void> {
    await handle.close().catch(() => {});
    try {
      ({ handle, size } = await openForAppend(path));
      if (size > 0) await handle.appendFile('\n');
    } catch {
      // The next write fails and says why.
    }
  }

  function start(): void {
    writing ??= writeAll().finally(() => {
      writing = undefined;
      if (pending.length > 0 && !closed) start();
    });
  }

  return {
    append(line) {
      if (closed) return;
      if (pendingLength + line.length > MAX_PENDING) return onLost(1);
      pending.push(line);
      pendingLength += line.length + 1;
      start();
    },
    async close() {
      closed = true;
      await writing;
      if (pending.length > 0) onLost(pending.length);
      await handle.close().catch(() => {});
    },
  };
}

async function openForAppend(path: string): Promise<{ handle: FileHandle; size: number }> {
  const handle = await open(path, 'a', 0o600);
  return { handle, size: (await handle.stat()).size };
}

/** `path.1` becomes `path.2`, `path` becomes `path.1`; the oldest goes. */
async function shift(path: string, maxFiles: number): Promise<void> {
  if (maxFiles === 1) return rm(path, { force: true });
  for (let number = maxFiles - 1; number > 0; number--) {
    const from = number === 1 ? path : `${path}.${number - 1}`;
    await rename(from, `${path}.${number}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
