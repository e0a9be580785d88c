import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import { DuoguardError } from '../errors.ts';
import { type CheckpointAdmin, createCheckpointRoutes } from './checkpoint-routes.ts';
import { createClassifyHandler } from './classify-route.ts';
import { isPlain } from './direct-request.ts';
import { errorAnswer, type ToErrorAnswer } from './error-answer.ts';
import { createObserver, type Handler, type Observed, type ObserverDependencies, type RouteInfo } from './exchange.ts';
import { createFeedbackRoutes, type FeedbackDependencies } from './feedback-routes.ts';
import type { FormatRoute } from './formats/format.ts';
import { FORMATS } from './formats/formats.ts';
import type { JudgingDependencies } from './judging.ts';
import { createOpenApiHandler, type DescribedRoute } from './openapi/document.ts';
import { createPageHandler, type Page } from './pages.ts';
import { createPolicyHandler } from './policy-route.ts';
import { createInfo, createMetricsHandler, createReadyz, type InfoDependencies, livez } from './status-routes.ts';
import { createStreamHandler, type StreamDependencies } from './stream-route.ts';

export interface AppDependencies
  extends ObserverDependencies,
    JudgingDependencies,
    StreamDependencies,
    FeedbackDependencies,
    InfoDependencies {
  readonly checkpoints: CheckpointAdmin;
  /** False when the metrics have a port of their own. */
  readonly serveMetrics: boolean;
  /** For people; empty when they are switched off. */
  readonly pages: readonly Page[];
}

export interface App extends Pick<Hono, 'request' | 'fetch' | 'routes'> {
  /** The handler of a request that can be answered on its connection; the others go through `fetch`. */
  direct(incoming: IncomingMessage): Observed['answer'] | undefined;
}

/** The whole HTTP surface, without a port: `createApp(...).request('/classify', ...)` answers. */
export function createApp(dependencies: AppDependencies): App {
  const router = createRouter(dependencies);

  router.direct('/classify', createClassifyHandler(dependencies));
  router.route('POST', '/classify/stream', createStreamHandler(dependencies));
  for (const format of FORMATS) {
    const { routes, toErrorAnswer } = format(dependencies);
    for (const { method, path, handle, logLevel } of routes) {
      if (method === 'POST' && logLevel === undefined && !/[:*]/.test(path)) router.direct(path, handle, toErrorAnswer);
      else router.route(method, path, handle, logLevel, toErrorAnswer);
    }
  }
  for (const { method, path, handle } of createCheckpointRoutes(dependencies.checkpoints, dependencies.authorize)) {
    router.route(method, path, handle);
  }
  for (const { method, path, handle } of createFeedbackRoutes(dependencies)) router.route(method, path, handle);
  router.route('GET', '/v1/policies', createPolicyHandler(dependencies.policies, dependencies.authorize));
  router.route('GET', '/livez', livez, 'debug');
  router.route('GET', '/readyz', createReadyz(dependencies.lifecycle), 'debug');
  router.route('GET', '/info', createInfo(dependencies));
  if (dependencies.serveMetrics)
    router.route('GET', '/metrics', createMetricsHandler(dependencies.metrics, dependencies.authorize), 'debug');
  router.route('GET', '/openapi.json', createOpenApiHandler(dependencies.version, router.routes()), 'debug');
  for (const page of dependencies.pages) router.route('GET', page.path, createPageHandler(page), 'debug');
  return router.finish();
}

/** `/metrics` alone, for a port that is not public. */
export function createMetricsApp(dependencies: ObserverDependencies): App {
  const router = createRouter(dependencies);
  router.route('GET', '/metrics', createMetricsHandler(dependencies.metrics), 'debug');
  return router.finish();
}

function createRouter(dependencies: ObserverDependencies) {
  const observed = createObserver(dependencies);
  const paths = new Map<string, { methods: Map<string, Observed>; info: RouteInfo }>();
  const direct = new Map<string, Observed['answer']>();

  function route(
    method: FormatRoute['method'],
    path: string,
    handle: Handler,
    logLevel: RouteInfo['logLevel'] = 'info',
    toErrorAnswer: ToErrorAnswer = errorAnswer,
  ): Observed {
    const info = { route: path, logLevel, toErrorAnswer };
    const { methods } = paths.get(path) ?? { methods: new Map<string, Observed>() };
    paths.set(path, { methods, info: { ...info, logLevel: 'info' } });
    const handler = observed(info, handle);
    methods.set(method, handler);
    if (method === 'GET') methods.set('HEAD', handler);
    return handler;
  }

  return {
    route,
    /** For what is asked most: a POST to a path without parameters, whose answers are no streams. */
    direct(path: string, handle: Handler, toErrorAnswer?: ToErrorAnswer): void {
      direct.set(path, route('POST', path, handle, 'info', toErrorAnswer).answer);
    },
    /** Those so far. */
    routes(): DescribedRoute[] {
      return [...paths].flatMap(([path, { methods }]) =>
        [...methods.keys()].filter((method) => method !== 'HEAD').map((method) => ({ method, path })),
      );
    },
    /** Each path becomes one hono handler, which hono calls directly; a second one would be composed with promises. */
    finish(): App {
      const app = new Hono();
      for (const [path, { methods, info }] of paths) {
        const refused = observed(info, ({ request }) => {
          const preflight = dependencies.cors.preflight(request, [...methods.keys()]);
          if (preflight !== undefined) return preflight;
          throw new DuoguardError('method_not_allowed', { details: { allow: [...methods.keys()].join(', ') } });
        });
        app.all(path, (context) => (methods.get(context.req.raw.method) ?? refused).respond(context));
      }
      app.notFound(
        observed({ route: 'unmatched', logLevel: 'info' }, () => {
          throw new DuoguardError('not_found');
        }).respond,
      );
      return Object.assign(app, {
        direct: (incoming: IncomingMessage) =>
          incoming.method === 'POST' && isPlain(incoming) ? direct.get(incoming.url ?? '') : undefined,
      });
    },
  };
}
