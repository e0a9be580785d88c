import { onTestFinished } from 'vitest';
import type { CheckpointPlaces } from '../../src/checkpoint/places.ts';
import { configSchema } from '../../src/config/settings.ts';
import { startServer } from '../../src/serve.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { signOf } from './fixture-model.ts';

const KEY = 'key-with-all-scopes';

export interface Listing {
  readonly active: string | null;
  readonly checkpoints: readonly {
    readonly id: string;
    readonly state: string;
    readonly place: string;
    readonly rejected: { readonly code: string; readonly message: string } | null;
  }[];
}

/** The whole server in this process, over the checkpoints in `places`. Stopped when the test ends. */
export async function startRunningServer(places: CheckpointPlaces, settings: Record<string, unknown> = {}) {
  const lines: string[] = [];
  const config = configSchema.parse({
    host: '127.0.0.1',
    port: 0,
    workers: 1,
    models_dir: places.shippedDir,
    state_dir: places.stateDir,
    api_keys: [`classify+admin+metrics=${KEY}`],
    checkpoint_poll_ms: 100,
    ...settings,
  });
  const logger = createLogger('info', { write: (line: string) => void lines.push(line) });
  const server = await startServer(config, logger, '0.0.0');
  onTestFinished(() => server.stop());
  const send = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    });
  return {
    ready: server.ready,
    lines,
    text: async (path: string) => (await send(path)).text(),
    list: async () => (await (await send('/v1/checkpoints')).json()) as Listing,
    activate: (id: string) => send(`/v1/checkpoints/${id}/activate`, { method: 'POST' }),
    /** The checkpoint that answers; throws when none does. */
    async classify(): Promise<string> {
      const answer = await send('/classify', {
        method: 'POST',
        body: JSON.stringify({ input: `a text with ${signOf('hate')}` }),
      });
      if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
      return ((await answer.json()) as { checkpoint: string }).checkpoint;
    },
  };
}
