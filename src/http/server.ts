import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import { DuoguardError } from '../errors.ts';
import type { App } from './app.ts';
import { errorAnswer } from './error-answer.ts';
import type { Lifecycle } from './lifecycle.ts';

export interface ListeningServer {
  readonly port: number;
  /** Closes the listener and waits until every connection has ended; those left after `timeoutMs` are cut. */
  close(timeoutMs: number): Promise<void>;
}

/** Longest time from the first byte of a request to the end of its headers. */
const HEADERS_TIMEOUT_MS = 60_000;

/** How often idle keep-alive connections are closed while the server waits for the busy ones. */
const IDLE_CHECK_MS = 50;

/** Resolves once the port is open. Rejects with the system's error, for example `EADDRINUSE`. */
export async function listen(app: App, host: string, port: number): Promise<ListeningServer> {
  const adapted = getRequestListener(app.fetch, {
    errorHandler: (error) => {
      // The target or the host of the request cannot be read as an address at all.
      const code = error instanceof RequestError ? 'not_found' : 'internal_error';
      const { status, body } = errorAnswer(new DuoguardError(code), randomUUID());
      return Response.json(body, { status });
    },
  });
  const server = createServer(
    // Node would end every request after 5 minutes, a stream that is well alive too. Handlers have their own deadlines.
    { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS },
    (incoming, outgoing) => void (app.direct(incoming) ?? adapted)(incoming, outgoing),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: (timeoutMs) => close(server, timeoutMs),
  };
}

async function close(server: Server, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was busy when the listener closed stays open after its answer, until somebody closes it.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
}

export interface ShutdownOptions {
  readonly servers: readonly ListeningServer[];
  readonly lifecycle: Lifecycle;
  readonly delayMs: number;
  readonly timeoutMs: number;
}

/**
 * Without dropping a request: say no on /readyz, keep serving for `delayMs`, then refuse what is new with 503 while the
 * listener stays open, and close it when nothing is in flight or `timeoutMs` is over.
 */
export async function drain({ servers, lifecycle, delayMs, timeoutMs }: ShutdownOptions): Promise<void> {
  lifecycle.drain();
  if (delayMs > 0) await sleep(delayMs);
  lifecycle.refuse();
  const deadline = performance.now() + timeoutMs;
  await Promise.race([lifecycle.idle(), sleep(timeoutMs)]);
  await Promise.all(servers.map((server) => server.close(Math.max(0, deadline - performance.now()))));
}

/** Does not keep the process alive. */
function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
