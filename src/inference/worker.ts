import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CATEGORIES } from '../taxonomy.ts';
import { type FromWorker, type ToWorker, viewBatchMemory, type WorkerStart } from './protocol.ts';
import { createModelSession, type ModelSession, UnusableModel } from './session.ts';

/** Entry of a worker thread: owns one session, scores one batch at a time. */

const port = parentPort as MessagePort;
const start = workerData as WorkerStart;
const memory = viewBatchMemory(start.batch, start.maxBatchTokens, start.maxBatchSequences, CATEGORIES.length);

function say(message: FromWorker): void {
  port.postMessage(message);
}

async function score(session: ModelSession, sequences: number, width: number): Promise<void> {
  const began = performance.now();
  try {
    await session.run(memory, sequences, width);
    say({ type: 'scored', inferenceMs: performance.now() - began });
  } catch (error) {
    say({ type: 'failed', reason: (error as Error).message });
  }
}

try {
  const session = await createModelSession(start);
  port.on('message', async (message: ToWorker) => {
    if (message.type === 'run') return score(session, message.sequences, message.width);
    await session.release();
    port.close();
  });
  say({ type: 'ready' });
} catch (error) {
  if (!(error instanceof UnusableModel)) throw error;
  say({ type: 'unusable', code: error.code, reason: error.message });
}
