import { helpText } from './config/help.ts';
import { loadConfig, printable } from './config/load.ts';
import { startServer } from './serve.ts';
import { createLogSink, type LogSink } from './telemetry/logger.ts';
import { readVersion } from './version.ts';

/** Exit statuses: 0 after a drain, 1 for a failure or a second signal, 2 for wrong settings. */
await main();

async function main(): Promise<void> {
  const outcome = readConfig();
  if (outcome.kind === 'help') return console.log(helpText());
  if (outcome.kind === 'version') return console.log(readVersion());

  const { config, sources } = outcome.loaded;
  const sink = createLogSink(config.log_level);
  exitOnBugs(sink);
  try {
    sink.logger.info({ version: readVersion(), config: printable(config), sources }, 'starting');
    const server = await startServer(config, sink.logger, readVersion());
    const signals = stopOnSignals(sink, server.stop);
    await server.ready.catch((error) => {
      // A server that is told to stop while it loads, or waits for its store, did not fail.
      if (!signals.stopping) throw error;
    });
  } catch (error) {
    // Nobody has sent a text yet, so the message of any error may be shown.
    sink.logger.fatal({ err: error, reason: error instanceof Error ? error.message : undefined }, 'cannot start');
    exit(sink, 1);
  }
}

function readConfig() {
  try {
    return loadConfig(process.argv.slice(2), process.env);
  } catch (error) {
    console.error(`duoguard cannot start: the settings are wrong.\n${(error as Error).message}`);
    process.exit(2);
  }
}

function stopOnSignals(sink: LogSink, stop: () => Promise<void>): { readonly stopping: boolean } {
  let stopping = false;
  const onSignal = async (signal: NodeJS.Signals) => {
    if (stopping) {
      sink.logger.warn({ signal }, 'second signal: ending at once');
      return exit(sink, 1);
    }
    stopping = true;
    sink.logger.info({ signal }, 'draining');
    // Timers of what is being stopped do not hold the process, and it would end before all of it is.
    setInterval(() => {}, 60_000);
    await stop();
    sink.logger.info('stopped');
    exit(sink, 0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, (name) => void onSignal(name));
  return {
    get stopping() {
      return stopping;
    },
  };
}

/** After a bug the state of the process is unknown; whoever started it starts it again. */
function exitOnBugs(sink: LogSink): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      sink.logger.fatal({ err: error }, event);
      exit(sink, 1);
    });
  }
}

function exit(sink: LogSink, status: number): never {
  sink.flush();
  process.exit(status);
}
