import pino, { type DestinationStream, type Logger } from 'pino';
import { DuoguardError } from '../errors.ts';

export type { Logger } from 'pino';

export interface LogSink {
  readonly logger: Logger;
  /** Writes out what is still buffered. Must run before the process ends. */
  flush(): void;
}

/**
 * Logs go to standard output as JSON lines. Writing is asynchronous: a reader that is slow to take the lines must not
 * stop the event loop that answers requests.
 */
export function createLogSink(level: string): LogSink {
  const destination = pino.destination({ dest: 1, sync: false });
  return { logger: createLogger(level, destination), flush: () => destination.flushSync() };
}

/** @param destination where the lines go; tests pass one that collects them. */
export function createLogger(level: string, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination,
  );
}

/**
 * What the log may say about an error. The message of an error that nobody foresaw can quote what a user wrote
 * (`JSON.parse` does), so only a message of our own catalogue or of the operating system is kept, and of a stack only
 * the frames.
 */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const code = (error as NodeJS.ErrnoException).code;
  const fromSystem = typeof (error as NodeJS.ErrnoException).syscall === 'string';
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    ...(error instanceof DuoguardError || fromSystem ? { message: error.message } : {}),
    frames: framesOf(error),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}

/** A message may itself have lines that look like frames, so the stack counts only from behind the message. */
function framesOf(error: Error): string[] {
  const stack = error.stack ?? '';
  const start = stack.indexOf(error.message);
  if (start < 0) return [];
  return stack
    .slice(start + error.message.length)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
}
