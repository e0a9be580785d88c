import { readFileSync } from 'node:fs';
import { DuoguardError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type ApiKey, parseApiKeys } from './api-keys.ts';

export interface Keyring {
  /** The keys that count now. Never empty when there is a file. */
  readonly current: readonly ApiKey[];
  close(): void;
}

export interface KeyringSources {
  /** As the setting `api_keys` has them. */
  readonly fixed: readonly string[];
  /** More of them, one a line; empty lines and lines that begin with `#` do not count. */
  readonly file: string | undefined;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

/**
 * The file is small, so it is read whole and compared every second: times and events of the file system miss what is
 * swapped in by a symbolic link, as Kubernetes does with a secret. A file that cannot be used, or has no keys because it
 * is half written, leaves the keys as they were; a log line says so once. Throws `invalid_config` if the first reading fails.
 */
export function openKeyring({ fixed, file, logger, intervalMs = 1000 }: KeyringSources): Keyring {
  if (file === undefined) {
    const current = parseApiKeys(fixed, 'api_keys');
    return { current, close: () => {} };
  }
  parseApiKeys(fixed, 'api_keys');
  let text = readText(file);
  let current = parseFile(text, fixed);
  let lastFailure = '';

  function refresh(path: string): void {
    try {
      const next = readText(path);
      if (next !== text) {
        current = parseFile(next, fixed);
        text = next;
        logger.info({ keys: current.map(({ id, scopes }) => ({ id, scopes: [...scopes] })) }, 'API keys replaced');
      }
      lastFailure = '';
    } catch (error) {
      const failure = (error as Error).message;
      if (failure !== lastFailure) logger.error({ err: error }, 'API keys stay as they were');
      lastFailure = failure;
    }
  }

  const timer = setInterval(() => refresh(file), intervalMs);
  timer.unref();
  return {
    get current() {
      return current;
    },
    close: () => clearInterval(timer),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new DuoguardError('invalid_config', { message: `api_keys_file: cannot be read (${reason}).` });
  }
}

function parseFile(text: string, fixed: readonly string[]): ApiKey[] {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw new DuoguardError('invalid_config', { message: 'api_keys_file: has no keys.' });
  return parseApiKeys([...fixed, ...lines], 'api_keys_file');
}
