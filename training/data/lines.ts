import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

/**
 * Lines of a text file, gunzipped when its name ends in `.gz`, without their `\n`. Only `\n` ends a line: JSON may hold
 * U+2028 as it is, where `node:readline` would cut. Reads no faster than the caller takes.
 */
export async function* readLines(file: string): AsyncGenerator<string> {
  const source = createReadStream(file);
  // Errors of the file arrive through the last stream, where the loop below sees them.
  const stream = file.endsWith('.gz') ? pipeline(source, createGunzip(), () => {}) : source;
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== '') yield rest;
}
