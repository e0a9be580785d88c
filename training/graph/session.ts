import * as ort from 'onnxruntime-node';
import { encodeModel, type OnnxModel } from './onnx.ts';
import type { DType, TensorData } from './tensor.ts';

export interface SessionOptions {
  /** Threads inside one operator. */
  readonly threads: number;
  /** `cpu`, or `webgpu` where onnxruntime finds a device. */
  readonly provider?: 'cpu' | 'webgpu';
}

export type Feeds = Record<string, ort.Tensor>;

/**
 * A model ready to run in this thread; `run` blocks it. Nothing is copied on the way: feeds wrap the caller's arrays,
 * and an output that has an entry in `into` is written there.
 */
export class GraphSession {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async create(model: OnnxModel, { threads, provider = 'cpu' }: SessionOptions): Promise<GraphSession> {
    const session = await ort.InferenceSession.create(encodeModel(model), {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    return new GraphSession(session);
  }

  /** Outputs by name; those named in `into` share its memory. */
  async run(feeds: Feeds, into: Feeds): Promise<Feeds> {
    return (await this.#session.run(feeds, into)) as Feeds;
  }

  /** Outputs by name, in fresh memory. */
  async evaluate(feeds: Feeds): Promise<Feeds> {
    return (await this.#session.run(feeds)) as Feeds;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Wraps an array without copying it. */
export function toTensor(data: TensorData, shape: readonly number[], dtype?: DType): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor('float32', data, shape);
  if (data instanceof Int32Array) return new ort.Tensor('int32', data, shape);
  if (data instanceof BigInt64Array) return new ort.Tensor('int64', data, shape);
  if (dtype === 'bool' && data instanceof Uint8Array) return new ort.Tensor('bool', data, shape);
  throw new TypeError(`no tensor type for ${data.constructor.name}`);
}
