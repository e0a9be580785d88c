import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/** Small enough that hashing a chunk does not hold up the event loop noticeably. */
const CHUNK_BYTES = 256 * 1024;

/** Lower-case hex SHA-256 of an open file, whose bytes are copied into `target` on the way. */
export async function hashHandle(handle: FileHandle, target?: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let position = 0;
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return hash.digest('hex');
    const read = chunk.subarray(0, bytesRead);
    hash.update(read);
    // A file that grows meanwhile fails its hash; it must not overrun the target first.
    if (target && position + bytesRead <= target.length) target.set(read, position);
    position += bytesRead;
  }
}

export async function hashFile(path: string): Promise<{ sha256: string; bytes: number }> {
  const handle = await open(path, 'r');
  try {
    return { sha256: await hashHandle(handle), bytes: (await handle.stat()).size };
  } finally {
    await handle.close();
  }
}
