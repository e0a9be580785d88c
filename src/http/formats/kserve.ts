import { z } from 'zod';
import { DuoguardError } from '../../errors.ts';
import type { ItemVerdict } from '../../moderation/contract.ts';
import { CATEGORIES } from '../../taxonomy.ts';
import type { Answer } from '../answer.ts';
import { parseWith } from '../classify-request.ts';
import { errorHeaders, type ToErrorAnswer } from '../error-answer.ts';
import { invalidField } from '../invalid-field.ts';
import { createJudgingHandler, MODEL_NAME, verdictHeaders } from '../judging.ts';
import { createReadyz } from '../status-routes.ts';
import { type Format, type FormatDependencies, requireAllJudged, toItems } from './format.ts';
import { repositoryRoutes } from './kserve-repository.ts';

const MODEL = `/v2/models/${MODEL_NAME}`;
const OUTPUTS = ['probabilities', 'flagged'] as const;

export const requestSchema = z.object({
  id: z.string().max(128).optional(),
  inputs: z
    .array(
      z.object({
        name: z.literal('text'),
        datatype: z.literal('BYTES'),
        shape: z.array(z.int().min(0)).min(1).max(2),
        data: z.array(z.union([z.string(), z.array(z.string())], { error: 'expected a string' })),
      }),
    )
    .length(1),
  outputs: z.array(z.object({ name: z.enum(OUTPUTS) })).optional(),
});

type InferInput = z.infer<typeof requestSchema>['inputs'][number];

/** KServe's Open Inference Protocol, version 2, over REST, with the repository and without the binary extension. */
export const kserve: Format = (dependencies) => {
  const requireReady = createReadyz(dependencies.lifecycle);
  const infer = createInfer(dependencies);
  const ok = (body: unknown): Answer => ({ status: 200, body });
  return {
    toErrorAnswer,
    routes: [
      {
        method: 'GET',
        path: '/v2',
        handle: () => ok({ name: 'duoguard', version: dependencies.version, extensions: ['model_repository'] }),
      },
      { method: 'GET', path: '/v2/health/live', handle: () => ok({ live: true }), logLevel: 'debug' },
      {
        method: 'GET',
        path: '/v2/health/ready',
        async handle(exchange) {
          await requireReady(exchange);
          return ok({ ready: true });
        },
        logLevel: 'debug',
      },
      { method: 'GET', path: MODEL, handle: () => ok(modelMetadata(dependencies)) },
      {
        method: 'GET',
        path: `${MODEL}/ready`,
        async handle(exchange) {
          await requireReady(exchange);
          return ok({ name: MODEL_NAME, ready: true });
        },
        logLevel: 'debug',
      },
      { method: 'POST', path: `${MODEL}/infer`, handle: infer },
      { method: 'POST', path: `${MODEL}/versions/:version/infer`, handle: infer },
      ...repositoryRoutes(dependencies),
    ],
  };
};

function modelMetadata({ checkpoint }: FormatDependencies) {
  const serving = checkpoint();
  return {
    name: MODEL_NAME,
    versions: serving === undefined ? [] : [serving.id],
    platform: 'onnxruntime_onnx',
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    outputs: [
      { name: 'probabilities', datatype: 'FP32', shape: [-1, CATEGORIES.length] },
      { name: 'flagged', datatype: 'BOOL', shape: [-1] },
    ],
  };
}

function createInfer(dependencies: FormatDependencies) {
  return createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
    const asked = askedVersion(exchange.request.url);
    requireVersion(asked, dependencies.checkpoint()?.id);
    const request = parseWith(requestSchema, body, []);
    const texts = toTexts(request.inputs[0] as InferInput);
    const items = toItems(texts, 'inputs', dependencies.limits.maxItems);
    const verdict = await classify({ items, longInput: 'window', servingOnly: asked !== undefined });
    // Another checkpoint may have become the serving one in between.
    requireVersion(asked, verdict.checkpoint);
    const results = requireAllJudged(verdict);
    const names = request.outputs?.map(({ name }) => name) ?? OUTPUTS;
    return {
      status: 200,
      headers: verdictHeaders(verdict, exchange),
      body: {
        model_name: MODEL_NAME,
        model_version: verdict.checkpoint,
        ...(request.id === undefined ? {} : { id: request.id }),
        outputs: names.map((name) => toTensor(name, results)),
      },
    };
  });
}

/** The version in the path, still percent-encoded, or undefined for the path without one. */
function askedVersion(url: string): string | undefined {
  return /\/versions\/([^/]+)\/infer$/.exec(new URL(url).pathname)?.[1];
}

function requireVersion(asked: string | undefined, serving: string | undefined): void {
  if (asked === undefined || asked === encodeURIComponent(serving ?? '')) return;
  throw new DuoguardError('invalid_request', {
    message: 'version: this checkpoint is not the serving one.',
    details: { field: 'version' },
  });
}

/** Of a tensor [n] or [n, 1], flat or nested. */
function toTexts({ shape, data }: InferInput): string[] {
  const texts = data.flat();
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements !== texts.length || (shape[1] ?? 1) !== 1) {
    throw invalidField(['inputs', 0, 'shape'], 'expected [n] or [n, 1] for n texts in data');
  }
  return texts;
}

function toTensor(name: (typeof OUTPUTS)[number], results: readonly ItemVerdict[]) {
  if (name === 'flagged') {
    return { name, datatype: 'BOOL', shape: [results.length], data: results.map(({ flagged }) => flagged) };
  }
  return {
    name,
    datatype: 'FP32',
    shape: [results.length, CATEGORIES.length],
    data: results.flatMap(({ category_scores }) => CATEGORIES.map((id) => category_scores[id])),
  };
}

const toErrorAnswer: ToErrorAnswer = (error) => ({
  status: error.status === 422 ? 400 : error.status,
  headers: errorHeaders(error),
  body: { error: error.message },
});
