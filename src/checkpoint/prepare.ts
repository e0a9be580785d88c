import { Worker } from 'node:worker_threads';
import { DuoguardError, type ErrorCode } from '../errors.ts';
import {
  type CompiledTokenizer,
  loadLibrary,
  loadTokenizer,
  openTokenizer,
  type TextTokenizer,
} from '../text/tokenizer.ts';
import type { Manifest } from './manifest.ts';

export interface PrepareOrder {
  readonly directory: string;
  readonly files: Manifest['files'];
  readonly model: string;
  readonly tokenizer: string;
  /** Whether whatever else this machine does goes first. */
  readonly background: boolean;
}

export type PrepareReply =
  | {
      readonly type: 'prepared';
      readonly model: SharedArrayBuffer;
      readonly tokenizer: SharedArrayBuffer;
      /** Undefined when the tokenizer is of a kind that cannot be compiled. */
      readonly compiled: CompiledTokenizer | undefined;
    }
  | {
      readonly type: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: DuoguardError['details'];
    }
  | { readonly type: 'unreadable'; readonly reason: string };

export interface PreparedFiles {
  readonly model: SharedArrayBuffer;
  readonly tokenizer: TextTokenizer;
  /** What it was made of. */
  readonly tokenizerFile: SharedArrayBuffer;
}

/**
 * Verifies a checkpoint's files and makes its tokenizer in a thread of its own: in this one it would keep requests
 * waiting for a tenth of a second. A tokenizer that cannot be compiled is made here all the same.
 * Throws what `verifyFiles` throws, and `checkpoint_tokenizer_invalid`.
 */
export async function prepareFiles(
  directory: string,
  { files, model, tokenizer }: Manifest,
  background = false,
): Promise<PreparedFiles> {
  const reply = await runThread({ directory, files, model, tokenizer, background });
  if (reply.type === 'refused') throw new DuoguardError(reply.code, reply);
  if (reply.type === 'unreadable') throw unreadable(tokenizer, new Error(reply.reason));
  const read = () => JSON.parse(Buffer.from(reply.tokenizer).toString('utf8'));
  try {
    const { compiled } = reply;
    return {
      model: reply.model,
      tokenizerFile: reply.tokenizer,
      tokenizer: compiled ? openTokenizer(compiled, () => loadLibrary(read())) : loadTokenizer(read()),
    };
  } catch (error) {
    throw unreadable(tokenizer, error as Error);
  }
}

function unreadable(file: string, cause: Error): DuoguardError {
  return new DuoguardError('checkpoint_tokenizer_invalid', {
    message: `${file} cannot be loaded: ${cause.message}`,
    cause,
  });
}

function runThread(order: PrepareOrder): Promise<PrepareReply> {
  return new Promise((resolve, reject) => {
    const thread = spawn(order);
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => reject(new DuoguardError('worker_crashed')));
  });
}

function spawn(workerData: PrepareOrder): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./prepare-worker.js', import.meta.url), { workerData });
  const entry = new URL('../inference/worker-from-source.mjs', import.meta.url);
  return new Worker(entry, { workerData, argv: [new URL('./prepare-worker.ts', import.meta.url).href] });
}
