import { onTestFinished } from 'vitest';
import { type Client, createClient } from '../../src/client.ts';
import { configSchema } from '../../src/config/settings.ts';
import { startServer } from '../../src/serve.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createFixtureCheckpoint, temporaryDirectory } from './fixture-checkpoint.ts';

export interface GuardServer {
  readonly url: string;
  readonly client: Client;
  readonly lines: readonly string[];
}

/** A real server on a port of its own, with the fixture model. Stopped when the test ends. */
export async function startGuard(settings: Record<string, unknown> = {}): Promise<GuardServer> {
  const lines: string[] = [];
  const config = configSchema.parse({
    host: '127.0.0.1',
    port: 0,
    workers: 1,
    checkpoint: await createFixtureCheckpoint(),
    state_dir: temporaryDirectory(),
    ...settings,
  });
  const logger = createLogger('info', { write: (line: string) => lines.push(line) });
  const server = await startServer(config, logger, '0.0.0');
  onTestFinished(() => server.stop());
  await server.ready;
  const url = `http://127.0.0.1:${server.port}`;
  return { url, client: createClient({ baseUrl: url, timeoutMs: 20_000 }), lines };
}
