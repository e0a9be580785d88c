import { constants, setPriority } from 'node:os';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { DuoguardError } from '../errors.ts';
import { compileTokenizer } from '../text/tokenizer.ts';
import type { PrepareOrder, PrepareReply } from './prepare.ts';
import { verifyFiles } from './verify-files.ts';

/** Entry of a thread that prepares one checkpoint and ends. */

const port = parentPort as MessagePort;

function say(reply: PrepareReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(reply, transfer);
}

async function prepare({ directory, files, model, tokenizer }: PrepareOrder): Promise<void> {
  const contents = await verifyFiles(directory, files, [model, tokenizer]);
  const verified = {
    model: contents.get(model) as SharedArrayBuffer,
    tokenizer: contents.get(tokenizer) as SharedArrayBuffer,
  };
  try {
    const compiled = compileTokenizer(JSON.parse(Buffer.from(verified.tokenizer).toString('utf8')));
    const { merges, tokenStarts } = compiled ?? {};
    say(
      { type: 'prepared', ...verified, compiled },
      merges && tokenStarts ? [merges.bytes.buffer, merges.entries.buffer, tokenStarts.buffer] : [],
    );
  } catch (error) {
    say({ type: 'unreadable', reason: (error as Error).message });
  }
}

/** Linux gives each thread a priority of its own; elsewhere it would be that of the whole server. */
function yieldToRequests(): void {
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
}

try {
  const order = workerData as PrepareOrder;
  if (order.background) yieldToRequests();
  await prepare(order);
} catch (error) {
  if (!(error instanceof DuoguardError)) throw error;
  const { code, message, details } = error;
  say({ type: 'refused', code, message, details });
}
