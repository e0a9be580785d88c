import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { EncoderFiles, LongTextOrder } from '../checkpoint/long-texts.ts';
import { DuoguardError } from '../errors.ts';
import { compileTokenizer, loadLibrary, loadTokenizer, openTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { type LongTextReply, packWindows } from './long-text-protocol.ts';
import { readUnderPolicy } from './policy-reading.ts';
import { prepareItem } from './prepare.ts';

/** Entry of a thread that prepares the long texts of one checkpoint, one after the other. */

const port = parentPort as MessagePort;
const files = workerData as EncoderFiles;
const encoder = { tokenizer: openFile(files.tokenizer), manifest: { max_tokens: files.maxTokens } };

port.on('message', (order: LongTextOrder) => {
  const reply = answer(order);
  const buffers = reply.type === 'prepared' ? reply.text.readings.map(({ ids }) => ids.buffer) : [];
  port.postMessage(reply, buffers);
});

function answer({ raw, phrases, longInput }: LongTextOrder): LongTextReply {
  try {
    const read = readUnderPolicy({ phrases }, raw);
    const { tokens, windows, readings } = prepareItem(raw, read.readings, encoder, longInput);
    const packed = readings.map(({ view, windows }) => ({ view, ...packWindows(windows) }));
    return { type: 'prepared', text: { tokens, windows, denied: read.denied, readings: packed } };
  } catch (error) {
    if (!(error instanceof DuoguardError)) return { type: 'failed', error };
    const { code, message, details } = error;
    return { type: 'refused', code, message, details };
  }
}

function openFile(file: SharedArrayBuffer): TextTokenizer {
  const read = () => JSON.parse(Buffer.from(file).toString('utf8'));
  const compiled = compileTokenizer(read());
  return compiled ? openTokenizer(compiled, () => loadLibrary(read())) : loadTokenizer(read());
}
