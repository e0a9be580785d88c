import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { EncoderFiles } from '../checkpoint/long-texts.ts';
import { DuoguardError } from '../errors.ts';
import { compileTokenizer, loadLibrary, loadTokenizer, openTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { type LongTextReply, type LongTextRequest, packWindows } from './long-text-protocol.ts';
import { readUnderPolicy } from './policy-reading.ts';
import { prepareItem } from './prepare.ts';

/** Entry of a thread that prepares the long texts of one checkpoint, one after the other. */

const port = parentPort as MessagePort;
const files = workerData as EncoderFiles;
const encoder = { tokenizer: openFile(files.tokenizer), manifest: { max_tokens: files.maxTokens } };

port.on('message', (request: LongTextRequest) => {
  const reply = answer(request);
  port.postMessage(reply, buffersOf(reply));
});

function answer({ raw, phrases, longInput, place }: LongTextRequest): LongTextReply {
  try {
    const read = readUnderPolicy({ phrases }, raw);
    const { tokens, windows, readings, readWindow } = prepareItem(raw, read.readings, encoder, longInput);
    if (place !== undefined) return { type: 'window', text: readWindow(place.reading, place.window) };
    const packed = readings.map(({ view, windows }) => ({ view, ...packWindows(windows) }));
    return { type: 'prepared', text: { tokens, windows, denied: read.denied, readings: packed } };
  } catch (error) {
    if (!(error instanceof DuoguardError)) return { type: 'failed', error };
    const { code, message, details } = error;
    return { type: 'refused', code, message, details };
  }
}

function buffersOf(reply: LongTextReply): ArrayBuffer[] {
  if (reply.type === 'prepared') return reply.text.readings.map(({ ids }) => ids.buffer);
  return reply.type === 'window' ? [reply.text.starts.buffer, reply.text.ends.buffer] : [];
}

function openFile(file: SharedArrayBuffer): TextTokenizer {
  const read = () => JSON.parse(Buffer.from(file).toString('utf8'));
  const compiled = compileTokenizer(read());
  return compiled ? openTokenizer(compiled, () => loadLibrary(read())) : loadTokenizer(read());
}
