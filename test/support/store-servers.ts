import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import S3rver from 's3rver';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from './fixture-checkpoint.ts';

/** A request as the store saw it. */
export interface SeenRequest {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  status: number;
  /** Of the body that went out. */
  bytes: number;
}

export interface StoreServer {
  readonly url: string;
  readonly endpoint: string | undefined;
  readonly seen: SeenRequest[];
  /** Takes over what stands in the directory now. */
  publish(): Promise<void>;
  /** Answers in place of the store while it returns true. */
  intercept: ((request: http.IncomingMessage, response: http.ServerResponse) => boolean) | undefined;
  /** Breaks off that many answers for keys with this ending, each after `afterBytes`. */
  cut(ending: string, afterBytes: number, times: number): void;
}

/** Any server of static files over `directory`; publishing needs nothing. */
export async function serveFiles(directory: string, { weakTags = false } = {}): Promise<StoreServer> {
  const files = await listen((request, response) => {
    const path = join(directory, decodeURIComponent(new URL(request.url as string, 'http://files').pathname));
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end();
    const content = readFileSync(path);
    const etag = `${weakTags ? 'W/' : ''}"${createHash('md5').update(content).digest('hex')}"`;
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end();
    const { range } = request.headers;
    const ifRange = request.headers['if-range'];
    if (range === undefined || (ifRange !== undefined && ifRange !== etag)) {
      return response.writeHead(200, { etag, 'content-length': content.length }).end(content);
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range)?.[1]);
    if (from >= content.length) return response.writeHead(416).end();
    const rest = content.subarray(from);
    const contentRange = `bytes ${from}-${content.length - 1}/${content.length}`;
    response.writeHead(206, { etag, 'content-length': rest.length, 'content-range': contentRange }).end(rest);
  });
  const proxy = await watch(files);
  return Object.assign(proxy, { url: `http://127.0.0.1:${proxy.port}`, endpoint: undefined, publish: async () => {} });
}

const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

/** An S3-compatible server with one bucket; publishing uploads `directory` below a prefix. */
export async function serveBucket(directory: string): Promise<StoreServer> {
  process.env['AWS_ACCESS_KEY_ID'] = CREDENTIALS.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = CREDENTIALS.secretAccessKey;
  const configureBuckets = [{ name: 'models' }];
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: temporaryDirectory(),
    configureBuckets,
  });
  const { port } = await server.run();
  onTestFinished(() => server.close());
  const proxy = await watch(port);
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: CREDENTIALS,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  onTestFinished(() => client.destroy());
  return Object.assign(proxy, {
    url: 's3://models/a/prefix',
    endpoint: `http://127.0.0.1:${proxy.port}`,
    async publish() {
      const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
      // The index last: a server that polls in between must not see names of what is not there yet.
      const isIndex = (one: (typeof entries)[number]): boolean => one.name === 'index.json';
      const files = entries.filter((one) => one.isFile()).toSorted((a, b) => Number(isIndex(a)) - Number(isIndex(b)));
      for (const entry of files) {
        const path = join(entry.parentPath, entry.name);
        const Key = `a/prefix/${relative(directory, path)}`;
        await client.send(new PutObjectCommand({ Bucket: 'models', Key, Body: readFileSync(path) }));
      }
    },
  });
}

/** Stands before a store: remembers what was asked and breaks connections off. */
async function watch(target: number) {
  const seen: SeenRequest[] = [];
  const cuts: { ending: string; afterBytes: number; times: number }[] = [];
  const proxy = {
    port: 0,
    seen,
    intercept: undefined as StoreServer['intercept'],
    cut: (ending: string, afterBytes: number, times: number) => void cuts.push({ ending, afterBytes, times }),
  };
  proxy.port = await listen((request, response) => {
    const path = decodeURIComponent((request.url as string).split('?')[0] as string);
    const entry: SeenRequest = { path, headers: request.headers, status: 0, bytes: 0 };
    seen.push(entry);
    if (proxy.intercept?.(request, response)) return;
    const cut = cuts.find(({ ending, times }) => times > 0 && path.endsWith(ending));
    if (cut !== undefined) cut.times--;
    const { method, url, headers } = request;
    const onward = http.request({ host: '127.0.0.1', port: target, path: url, method, headers }, (answer) => {
      entry.status = answer.statusCode as number;
      response.writeHead(entry.status, answer.headers);
      answer.on('data', (chunk: Buffer) => {
        const part = cut === undefined ? chunk : chunk.subarray(0, Math.max(0, cut.afterBytes - entry.bytes));
        entry.bytes += part.length;
        response.write(part);
        if (cut !== undefined && entry.bytes >= cut.afterBytes) {
          answer.destroy();
          // What was written is to arrive before the connection ends.
          setTimeout(() => response.destroy(), 50);
        }
      });
      answer.on('end', () => response.end());
      answer.on('error', () => {});
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  return proxy;
}

export async function listen(handle: http.RequestListener): Promise<number> {
  const server = http.createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
