import { z } from 'zod';

/**
 * Every setting, once. The key is the name in the file; the flag is the key with dashes (`--max-body-bytes`); the
 * environment variable is named here. docs/configuration.md describes the same list, and a test compares the two.
 */

export interface SettingInfo {
  /** How the text of a flag or a variable becomes a value: lists are separated by commas. */
  readonly kind: 'string' | 'integer' | 'list';
  readonly env: string;
  readonly description: string;
  /** Printed as a mask. */
  readonly secret?: true;
}

const settingInfo = z.registry<SettingInfo>();

const port = z.int().min(0).max(65_535);

export const configSchema = z.strictObject({
  host: z.string().min(1).default('0.0.0.0').register(settingInfo, {
    kind: 'string',
    env: 'HOST',
    description: 'Address to listen on.',
  }),
  port: port.default(8080).register(settingInfo, {
    kind: 'integer',
    env: 'PORT',
    description: 'Port to listen on; 0 lets the system choose one, which the log names.',
  }),
  metrics_port: port.optional().register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_METRICS_PORT',
    description: 'Serve `/metrics` on this port instead of the main one.',
  }),
  api_keys: z.array(z.string().min(8, 'a key has at least 8 characters')).default([]).register(settingInfo, {
    kind: 'list',
    env: 'DUOGUARD_API_KEYS',
    description:
      'API keys, in clear or as `sha256:` and the hex digest of the key. Such a key may classify; `admin+metrics=KEY` has the scopes it names. Without any key, classifying is open.',
    secret: true,
  }),
  api_keys_file: z.string().min(1).optional().register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_API_KEYS_FILE',
    description: 'File with more API keys, one a line; it is read again when it changes.',
  }),
  rate_limit_per_key: z.int().min(0).max(10_000_000).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_RATE_LIMIT_PER_KEY',
    description: 'Most requests of one API key in a minute; more is answered with 429. 0 is no limit.',
  }),
  rate_limit_per_address: z.int().min(0).max(10_000_000).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_RATE_LIMIT_PER_ADDRESS',
    description: 'Most requests from one address in a minute; more is answered with 429. 0 is no limit.',
  }),
  trusted_proxies: z.int().min(0).max(16).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_TRUSTED_PROXIES',
    description:
      'Proxies before the server that add the address of their caller to `x-forwarded-for`; with 0 that header is ignored.',
  }),
  cors_origins: z
    .array(z.string().regex(/^(\*|https?:\/\/[a-z0-9.:[\]-]+)$/, 'expected * or an origin such as https://app.example'))
    .default([])
    .register(settingInfo, {
      kind: 'list',
      env: 'DUOGUARD_CORS_ORIGINS',
      description: 'Origins whose pages may call the server from a browser; `*` is any. None unless set.',
    }),
  max_body_bytes: z.int().min(1024).max(1_073_741_824).default(2_097_152).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_MAX_BODY_BYTES',
    description: 'Largest request body in bytes; more is answered with 413.',
  }),
  max_items: z.int().min(1).max(4096).default(32).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_MAX_ITEMS',
    description: 'Most items in one request.',
  }),
  request_timeout_ms: z.int().min(1).max(3_600_000).default(30_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_REQUEST_TIMEOUT_MS',
    description:
      'Longest time for one request, body included. `x-request-deadline-ms` of a request can only shorten it.',
  }),
  stream_timeout_ms: z.int().min(1).max(86_400_000).default(600_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_STREAM_TIMEOUT_MS',
    description:
      'Longest time for one stream of `/classify/stream`; `request_timeout_ms` is then the longest wait for its next piece.',
  }),
  drain_delay_ms: z.int().min(0).max(3_600_000).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_DRAIN_DELAY_MS',
    description:
      'After SIGTERM, how long requests are still taken while `/readyz` already says no: the time a load balancer needs to notice.',
  }),
  drain_timeout_ms: z.int().min(0).max(3_600_000).default(25_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_DRAIN_TIMEOUT_MS',
    description: 'After SIGTERM, how long requests in flight may take before their connections are cut.',
  }),
  models_dir: z.string().min(1).default('models').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_MODELS_DIR',
    description: 'Directory of the shipped checkpoints and their `active.json`; it is only read.',
  }),
  checkpoint: z.string().min(1).default('active').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_CHECKPOINT',
    description:
      'Checkpoint to serve: an id, `active` for the one that `active.json` names, `latest` for the newest, or a directory.',
  }),
  state_dir: z.string().min(1).default('state').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_STATE_DIR',
    description:
      'Directory for what a running server writes. Nothing but the audit log and feedback is written anywhere else.',
  }),
  checkpoint_poll_ms: z.int().min(0).max(86_400_000).default(5_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_CHECKPOINT_POLL_MS',
    description:
      'How often the pointers to the active checkpoint are looked at, beside file events; 0 means they are not followed.',
  }),
  store_url: z
    .string()
    .regex(/^(https?|s3):\/\/[^/?#]/, 'expected http://, https:// or s3://BUCKET/PREFIX')
    .optional()
    .register(settingInfo, {
      kind: 'string',
      env: 'DUOGUARD_STORE_URL',
      description:
        'Store from which checkpoints are fetched into `state_dir`: the address of a directory with `index.json`, or `s3://BUCKET/PREFIX`. None unless set.',
      secret: true,
    }),
  store_token: z.string().min(1).optional().register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_STORE_TOKEN',
    description: 'Sent to a store over HTTP as `Authorization: Bearer`.',
    secret: true,
  }),
  store_s3_endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .register(settingInfo, {
      kind: 'string',
      env: 'DUOGUARD_STORE_S3_ENDPOINT',
      description: "Address of the S3-compatible server, when it is not Amazon's.",
    }),
  store_redirects: z.enum(['none', 'same-origin', 'any']).default('same-origin').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_STORE_REDIRECTS',
    description:
      'Redirects of a store over HTTP that are followed: `none`, `same-origin` or `any`. Never from https to http, and no credentials leave the origin.',
  }),
  store_poll_ms: z.int().min(50).max(86_400_000).default(30_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_STORE_POLL_MS',
    description: 'How often the store is asked for news, at most; replicas spread over half of it.',
  }),
  store_timeout_ms: z.int().min(50).max(3_600_000).default(30_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_STORE_TIMEOUT_MS',
    description: 'Longest silence of the store before the connection is given up.',
  }),
  store_max_bytes: z.int().min(1024).max(1_099_511_627_776).default(4_294_967_296).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_STORE_MAX_BYTES',
    description: 'Largest checkpoint that is downloaded, in bytes.',
  }),
  store_keep: z.int().min(0).max(10_000).default(3).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_STORE_KEEP',
    description: 'Downloaded checkpoints that are kept, newest first, beside those in use.',
  }),
  trial_share_percent: z.int().min(1).max(100).default(10).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_TRIAL_SHARE_PERCENT',
    description:
      'Share of the requests that a shadow or canary takes part in, unless the request that starts it says otherwise.',
  }),
  canary_items: z.int().min(1).max(1_000_000).default(500).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_CANARY_ITEMS',
    description: 'Items that a canary and the serving checkpoint must both have judged before the canary is promoted.',
  }),
  canary_max_disagreement_percent: z.int().min(0).max(100).default(5).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_CANARY_MAX_DISAGREEMENT_PERCENT',
    description: 'A canary that decides otherwise on more of the items is rolled back.',
  }),
  canary_max_errors_percent: z.int().min(0).max(100).default(1).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_CANARY_MAX_ERRORS_PERCENT',
    description: 'A canary that fails on more of its requests is rolled back.',
  }),
  canary_max_inference_percent: z.int().min(1).max(10_000).default(150).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_CANARY_MAX_INFERENCE_PERCENT',
    description: 'A canary whose inference takes more than this, of what the serving checkpoint takes, is rolled back.',
  }),
  provider: z.enum(['cpu', 'webgpu', 'cuda']).default('cpu').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_PROVIDER',
    description: 'Execution provider of onnxruntime: `cpu`, `webgpu` or `cuda`.',
  }),
  workers: z.int().min(0).max(256).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_WORKERS',
    description: 'Inference worker threads; 0 means one for each core that the process may use, less one for HTTP.',
  }),
  intra_op_threads: z.int().min(1).max(256).default(1).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_INTRA_OP_THREADS',
    description: 'Threads inside one run of the model, for each worker.',
  }),
  max_batch_tokens: z.int().min(8).max(1_048_576).default(16_384).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_MAX_BATCH_TOKENS',
    description: 'Most tokens in one batch, padding included. Must hold the longest sequence of the model.',
  }),
  max_batch_requests: z.int().min(1).max(4096).default(32).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_MAX_BATCH_REQUESTS',
    description: 'Most sequences in one batch.',
  }),
  queue_size: z.int().min(1).max(1_000_000).default(1024).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_QUEUE_SIZE',
    description: 'Most sequences waiting for a worker; more is answered with 429.',
  }),
  queue_tokens: z.int().min(8).max(1_000_000_000).default(262_144).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_QUEUE_TOKENS',
    description: 'Most tokens waiting for a worker; more is answered with 429.',
  }),
  policy_file: z.string().min(1).optional().register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_POLICY_FILE',
    description: 'File of named policies, YAML or JSON; it is read again when it changes.',
  }),
  playground: z.enum(['on', 'off']).default('on').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_PLAYGROUND',
    description: 'Whether people find the playground at `/` and the description of the API at `/docs`.',
  }),
  cache_size: z.int().min(0).max(10_000_000).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_CACHE_SIZE',
    description: 'Sequences whose scores are remembered, for each checkpoint, under 1 KB each; 0 is none.',
  }),
  audit_path: z.string().min(1).optional().register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_AUDIT_PATH',
    description: 'File to which every decision is appended as a JSON line, without its text. None unless set.',
  }),
  audit_key: z.string().min(16, 'at least 16 characters').optional().register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_AUDIT_KEY',
    description: 'Key of the HMAC that stands for the text in the audit log; needed with `audit_path`.',
    secret: true,
  }),
  audit_max_bytes: z.int().min(1024).max(1_099_511_627_776).default(104_857_600).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_AUDIT_MAX_BYTES',
    description: 'Size at which the audit log begins a new file.',
  }),
  audit_files: z.int().min(1).max(10_000).default(10).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_AUDIT_FILES',
    description: 'Files of the audit log that are kept, the one being written included.',
  }),
  audit_language: z.enum(['on', 'off']).default('on').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_AUDIT_LANGUAGE',
    description: 'Whether the audit log names the language of each text, which takes time and memory to tell.',
  }),
  feedback_dir: z.string().min(1).optional().register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_FEEDBACK_DIR',
    description:
      'Directory in which feedback is kept, texts included, in an embedded database. Feedback is off unless this or `database_url` is set.',
  }),
  database_url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://...')
    .optional()
    .register(settingInfo, {
      kind: 'string',
      env: 'DATABASE_URL',
      description: 'PostgreSQL in which feedback is kept, texts included, instead of a directory.',
      secret: true,
    }),
  feedback_retention_days: z.int().min(0).max(36_500).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_FEEDBACK_RETENTION_DAYS',
    description: 'Days after which feedback is deleted; 0 keeps it until somebody deletes it.',
  }),
  feedback_max_rows: z.int().min(0).max(1_000_000_000).default(100_000).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_FEEDBACK_MAX_ROWS',
    description: 'Most pieces of feedback that are kept; more is answered with 507. 0 is no limit.',
  }),
  feedback_recent_requests: z.int().min(0).max(1_000_000).default(0).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_FEEDBACK_RECENT_REQUESTS',
    description:
      'Judged requests whose texts are remembered in memory, so that feedback can name one by its id; 0 is none.',
  }),
  feedback_recent_seconds: z.int().min(1).max(86_400).default(900).register(settingInfo, {
    kind: 'integer',
    env: 'DUOGUARD_FEEDBACK_RECENT_SECONDS',
    description: 'How long they are remembered.',
  }),
  otlp_endpoint: z
    .url({ protocol: /^https?$/, error: 'expected an http or https address' })
    .refine((url) => !/\/\/[^/]*@/.test(url), 'credentials belong into OTEL_EXPORTER_OTLP_HEADERS')
    .optional()
    .register(settingInfo, {
      kind: 'string',
      env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
      description: 'Base address of an OpenTelemetry collector that traces are sent to over HTTP. None unless set.',
    }),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').register(settingInfo, {
    kind: 'string',
    env: 'DUOGUARD_LOG_LEVEL',
    description: 'Least severe level that is logged.',
  }),
});

export type Config = z.infer<typeof configSchema>;
export type SettingKey = keyof Config;

export const SETTING_KEYS = Object.keys(configSchema.shape) as SettingKey[];

export function infoOf(key: SettingKey): SettingInfo {
  return settingInfo.get(configSchema.shape[key]) as SettingInfo;
}

export function flagOf(key: SettingKey): string {
  return `--${key.replaceAll('_', '-')}`;
}

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(configSchema.shape, key);
}
