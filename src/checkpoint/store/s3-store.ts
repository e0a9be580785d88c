import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { DuoguardError } from '../../errors.ts';
import { parseContentRange } from './content-range.ts';
import type { ObjectAnswer, ObjectRequest, ObjectStore } from './object-store.ts';

export interface S3StoreOptions {
  /** `s3://BUCKET/PREFIX` */
  readonly url: string;
  /** Of a server that is not Amazon's; its buckets are then addressed by path. */
  readonly endpoint?: string | undefined;
}

/**
 * Region and credentials are found as every program with that client finds them: variables, profile, role of the
 * machine or the pod. The client is loaded here and nowhere else, because it is large and few servers need it.
 */
export async function createS3Store({ url, endpoint }: S3StoreOptions): Promise<ObjectStore> {
  const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const { hostname: bucket, pathname } = new URL(url);
  const prefix = decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
  const client = new S3Client({
    // Whoever calls tries again, and knows how much it has already.
    maxAttempts: 1,
    // Every file has its SHA-256 in the manifest, and servers other than Amazon's know no checksums.
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === undefined
      ? {}
      : { endpoint, forcePathStyle: true, region: process.env['AWS_REGION'] ?? 'us-east-1' }),
  });

  async function get(key: string, request: ObjectRequest): Promise<ObjectAnswer> {
    const { signal, known, resume } = request;
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: prefix === '' ? key : `${prefix}/${key}`,
      ...(known === undefined ? {} : { IfNoneMatch: known }),
      ...(resume === undefined ? {} : { Range: `bytes=${resume.offset}-` }),
      ...(resume?.etag === undefined ? {} : { IfMatch: resume.etag }),
    });
    try {
      return toAnswer(await client.send(command, { abortSignal: signal }));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const status = statusOf(error);
      if (status === 304) return { kind: 'unchanged' };
      if (status === 404 && (error as Error).name === 'NoSuchKey') return { kind: 'missing' };
      if (resume !== undefined && (status === 412 || status === 416)) return get(key, { signal });
      const { name } = error as Error;
      const what = status === undefined ? `cannot be reached (${name})` : `answers ${status} (${name})`;
      throw new DuoguardError('checkpoint_store_unreachable', {
        message: `The checkpoint store ${what}, asked for ${key}.`,
        cause: error,
      });
    }
  }

  return { address: `s3://${bucket}/${prefix}`, get, close: () => client.destroy() };
}

function toAnswer({ Body, ContentRange, ETag }: GetObjectCommandOutput): ObjectAnswer {
  return {
    kind: 'found',
    etag: ETag,
    offset: ContentRange === undefined ? 0 : (parseContentRange(ContentRange) ?? 0),
    body: Body as unknown as AsyncIterable<Uint8Array>,
  };
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
