import type { SchemaName } from './schemas.ts';

/** What a route is for, in words, and the names of its schemas. */
export interface Operation {
  readonly tag: string;
  readonly summary: string;
  readonly request?: SchemaName;
  readonly answer?: SchemaName;
  /** The scope that a key needs once keys are configured; none is needed when left out. */
  readonly scope?: 'classify' | 'feedback' | 'admin' | 'metrics';
}

const judging = (tag: string, summary: string, request: SchemaName, answer?: SchemaName): Operation => ({
  tag,
  summary,
  request,
  ...(answer === undefined ? {} : { answer }),
  scope: 'classify',
});

const status = (summary: string): Operation => ({ tag: 'Operation', summary });
const kserve = (summary: string): Operation => ({ tag: 'KServe v2', summary });
const repository = (summary: string, request: SchemaName): Operation => ({
  ...kserve(summary),
  request,
  scope: 'admin',
});
const admin = (summary: string): Operation => ({ tag: 'Checkpoints', summary, scope: 'admin' });

/** By method and the pattern of the route. A route that is missing here is listed without words. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /classify': judging('Judging', 'Judge one or more inputs', 'ClassifyRequest', 'ClassifyAnswer'),
  'POST /classify/stream': {
    tag: 'Judging',
    summary: 'Judge a text while it arrives: NDJSON, server-sent events or plain text in, events out',
    scope: 'classify',
  },
  'POST /v1/moderations': judging('Other formats', "OpenAI's moderation", 'ModerationsRequest'),
  'POST /beta/litellm_basic_guardrail_api': judging(
    'Other formats',
    "LiteLLM's generic guardrail",
    'LitellmGuardrailRequest',
  ),
  'POST /v1/classify': judging('Other formats', "vLLM's classification", 'VllmClassifyRequest'),
  'POST /predict': judging('Other formats', 'Prediction of text-embeddings-inference', 'TeiPredictRequest'),
  'POST /request': judging('Other formats', "agentgateway's webhook before the model", 'AgentgatewayPrompt'),
  'POST /response': judging('Other formats', "agentgateway's webhook after the model", 'AgentgatewayResponse'),
  'GET /v2': kserve('Server metadata'),
  'GET /v2/health/live': kserve('Liveness'),
  'GET /v2/health/ready': kserve('Readiness'),
  'GET /v2/models/duoguard': kserve('Model metadata'),
  'GET /v2/models/duoguard/ready': kserve('Readiness of the model'),
  'POST /v2/models/duoguard/infer': judging('KServe v2', 'Inference', 'KserveInferRequest'),
  'POST /v2/models/duoguard/versions/:version/infer': judging(
    'KServe v2',
    'Inference by one checkpoint, if it is the serving one',
    'KserveInferRequest',
  ),
  'POST /v2/repository/index': repository('Checkpoints as versions of the model', 'KserveIndexRequest'),
  'POST /v2/repository/models/:model/load': repository('Let a checkpoint serve', 'KserveVersionRequest'),
  'POST /v2/repository/models/:model/unload': repository(
    'Serve what served before a checkpoint, or end its trial',
    'KserveVersionRequest',
  ),
  'GET /v1/policies': { tag: 'Judging', summary: 'Policies that a request may name', scope: 'classify' },
  'GET /v1/checkpoints': admin('Checkpoints and their states'),
  'POST /v1/checkpoints/:id/activate': admin('Let a checkpoint serve'),
  'POST /v1/checkpoints/:id/rollback': admin('Serve what served before it, or end its trial'),
  'POST /v1/checkpoints/:id/shadow': admin('Let a checkpoint judge copies of a share of the requests'),
  'POST /v1/checkpoints/:id/canary': admin('Let a checkpoint answer a share of the requests'),
  'POST /v1/feedback': {
    tag: 'Feedback',
    summary: 'Say what was judged wrongly, and what would have been right; the scope classify does too',
    request: 'FeedbackRequest',
    answer: 'FeedbackAnswer',
    scope: 'feedback',
  },
  'GET /v1/feedback': { tag: 'Feedback', summary: 'Feedback, newest first', answer: 'FeedbackPage', scope: 'admin' },
  'GET /v1/feedback/export': { tag: 'Feedback', summary: 'Rows to train on, as JSON lines', scope: 'admin' },
  'DELETE /v1/feedback/:id': {
    tag: 'Feedback',
    summary: 'Delete feedback by its id, or all of one answer or request',
    scope: 'admin',
  },
  'GET /livez': status('The process runs'),
  'GET /readyz': status('It may be sent requests'),
  'GET /info': status('Version, serving checkpoint with its thresholds, limits'),
  'GET /metrics': { tag: 'Operation', summary: 'Metrics in the Prometheus text format', scope: 'metrics' },
};
