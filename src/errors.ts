/**
 * The one catalogue of failures. A code is stable: clients switch on it, docs/errors.md explains it, tests pin it.
 * `message` is what happened in general terms; the place that throws may say it more exactly, but never with user text.
 */
export const ERRORS = {
  invalid_json: {
    status: 400,
    message: 'The body is not valid JSON.',
    whatToDo: 'Send a UTF-8 JSON body with content-type application/json.',
  },
  invalid_request: {
    status: 422,
    message: 'The request does not have the expected shape.',
    whatToDo: 'Correct the field that the message names.',
  },
  unsupported_media_type: {
    status: 415,
    message: 'The content type is not supported.',
    whatToDo: 'Send application/json.',
  },
  unauthorized: {
    status: 401,
    message: 'An API key is needed, and the request has none that is known.',
    whatToDo: 'Send "Authorization: Bearer KEY".',
  },
  forbidden: {
    status: 403,
    message: 'The API key does not allow this.',
    whatToDo: 'Use a key with the scope that the route needs.',
  },
  not_found: {
    status: 404,
    message: 'There is nothing at this address.',
    whatToDo: 'Check the path.',
  },
  method_not_allowed: {
    status: 405,
    message: 'The address does not answer this method.',
    whatToDo: 'Use a method from the Allow header.',
  },
  request_timeout: {
    status: 408,
    message: 'The body did not arrive in time.',
    whatToDo: 'Send the body without long pauses, or in smaller requests.',
  },
  payload_too_large: {
    status: 413,
    message: 'The body is larger than the server accepts.',
    whatToDo: 'Split the request, or raise the payload limit in the settings.',
  },
  too_many_items: {
    status: 422,
    message: 'The request has more items than one batch may have.',
    whatToDo: 'Split the request, or raise the limit of items in the settings.',
  },
  input_too_long: {
    status: 422,
    message: 'The text is longer than the model takes, and the request asks not to window it.',
    whatToDo: 'Shorten the text, or leave out long_input so that it is scored in windows.',
  },
  overloaded: {
    status: 429,
    message: 'The queue is full.',
    whatToDo: 'Retry after the time in the Retry-After header; add workers or replicas if it persists.',
  },
  rate_limited: {
    status: 429,
    message: 'This client has used up its rate.',
    whatToDo: 'Retry after the time in the Retry-After header.',
  },
  client_closed: {
    status: 499,
    message: 'The client left before the answer was ready.',
    whatToDo: 'Nothing: its queued work was dropped.',
  },
  internal_error: {
    status: 500,
    message: 'The server failed in a way it did not foresee.',
    whatToDo: 'Look for the request id in the server log and report it.',
  },
  inference_failed: {
    status: 500,
    message: 'The model failed on this input.',
    whatToDo: 'Look for the request id in the server log and report it.',
  },
  worker_crashed: {
    status: 503,
    message: 'The inference worker ended twice while it held this request.',
    whatToDo: 'Retry later; if the same input does it again, look at the memory limit and the server log.',
  },
  not_ready: {
    status: 503,
    message: 'No checkpoint is serving yet.',
    whatToDo: 'Wait until /readyz answers 200.',
  },
  shutting_down: {
    status: 503,
    message: 'The server is shutting down.',
    whatToDo: 'Retry on another replica.',
  },
  deadline_exceeded: {
    status: 504,
    message: 'The deadline passed before the answer was ready.',
    whatToDo: 'Allow more time, send less text, or add workers.',
  },
  invalid_config: {
    status: 500,
    message: 'A setting is wrong.',
    whatToDo: 'Correct the setting that the message names.',
  },
  checkpoint_not_found: {
    status: 404,
    message: 'There is no such checkpoint.',
    whatToDo: 'Check the models directory, active.json and the id.',
  },
  checkpoint_exists: {
    status: 409,
    message: 'A checkpoint with this id was published before.',
    whatToDo: 'Publish under a new id; a published checkpoint never changes.',
  },
  checkpoint_manifest_unreadable: {
    status: 422,
    message: 'manifest.json is missing, unreadable or not JSON.',
    whatToDo: 'Publish or download the checkpoint again.',
  },
  checkpoint_manifest_invalid: {
    status: 422,
    message: 'manifest.json does not have the expected shape.',
    whatToDo: 'Publish the checkpoint with the version of duoguard that serves it.',
  },
  checkpoint_path_outside: {
    status: 422,
    message: 'The manifest names a file outside the checkpoint directory.',
    whatToDo: 'Do not use this checkpoint; find out who made it.',
  },
  checkpoint_file_missing: {
    status: 422,
    message: 'A file that the manifest names is missing.',
    whatToDo: 'Copy or download the checkpoint again.',
  },
  checkpoint_file_corrupt: {
    status: 422,
    message: 'A file does not have the size or SHA-256 that the manifest names.',
    whatToDo: 'Copy or download the checkpoint again.',
  },
  checkpoint_labels_mismatch: {
    status: 422,
    message: 'The labels of the checkpoint are not the 12 categories in their order.',
    whatToDo: 'Train or export the checkpoint with the canonical order of labels.',
  },
  checkpoint_tokenizer_invalid: {
    status: 422,
    message: 'The tokenizer cannot be loaded.',
    whatToDo: 'Publish a tokenizer.json in the Hugging Face format.',
  },
  checkpoint_model_invalid: {
    status: 422,
    message: 'The model is not an ONNX model that the runtime can load.',
    whatToDo: 'Export the model again.',
  },
  checkpoint_model_signature: {
    status: 422,
    message: 'The model does not have the expected inputs and output.',
    whatToDo: 'Export it with inputs input_ids and attention_mask [batch, sequence] and output logits [batch, 12].',
  },
  checkpoint_canary_mismatch: {
    status: 422,
    message: 'The model does not reproduce the scores of a canary text.',
    whatToDo: 'Check that model, tokenizer and manifest belong together and that the runtime is the expected one.',
  },
  checkpoint_busy: {
    status: 409,
    message: 'Another change of the checkpoints is under way.',
    whatToDo: 'Look at GET /v1/checkpoints and send the request again when nothing is loading.',
  },
  checkpoint_not_in_use: {
    status: 409,
    message: 'The checkpoint is neither active nor on trial, so there is nothing to roll back.',
    whatToDo: 'Look at GET /v1/checkpoints: somebody else may have switched already.',
  },
  checkpoint_no_previous: {
    status: 409,
    message: 'No checkpoint served before this one.',
    whatToDo: 'Activate the checkpoint that should serve by its id.',
  },
  checkpoint_trial_failed: {
    status: 409,
    message: 'The checkpoint was rolled back from its trial as a canary.',
    whatToDo: 'Look at the reason in GET /v1/checkpoints; try it as a shadow to learn more.',
  },
  checkpoint_too_large: {
    status: 422,
    message: 'The checkpoint is larger than the server may download.',
    whatToDo: 'Raise store_max_bytes if the checkpoint is meant to be that large.',
  },
  checkpoint_store_unreachable: {
    status: 503,
    message: 'The checkpoint store cannot be reached or does not answer as it should.',
    whatToDo: 'Nothing if it passes: the server tries again. Else check store_url, the credentials and the network.',
  },
  checkpoint_store_invalid: {
    status: 502,
    message: 'The checkpoint store has no index that can be used, or redirects where the settings do not allow it.',
    whatToDo: 'Check that store_url is the directory with index.json, and store_redirects.',
  },
  feedback_off: {
    status: 404,
    message: 'Feedback is not kept: it is switched off.',
    whatToDo: 'Set feedback_dir or DATABASE_URL on the server.',
  },
  feedback_not_found: {
    status: 404,
    message: 'There is no feedback with this id, nor of this answer or request.',
    whatToDo: 'Look at GET /v1/feedback; it may have been deleted already.',
  },
  feedback_full: {
    status: 507,
    message: 'As much feedback is kept as the server may keep; this was not stored.',
    whatToDo: 'Export and delete what is there, set feedback_retention_days, or raise feedback_max_rows.',
  },
  feedback_unavailable: {
    status: 503,
    message: 'The database of the feedback does not answer; nothing was acknowledged.',
    whatToDo: 'Send it again after the time in the Retry-After header: what is sent twice is stored once.',
  },
  idempotency_key_reused: {
    status: 422,
    message: 'The Idempotency-Key was sent before with other feedback.',
    whatToDo: 'Use a new key for each piece of feedback.',
  },
  state_unwritable: {
    status: 500,
    message: 'The choice of the checkpoint cannot be written to the state directory; the old one keeps serving.',
    whatToDo: 'Make the state directory writable, or set state_dir to one that is.',
  },
} as const satisfies Record<string, { status: number; message: string; whatToDo: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorOptionsWithDetails {
  /** Replaces the catalogue's message. Reaches the client: no user text, no paths of the host's file system. */
  readonly message?: string;
  /** Machine-readable facts (the field, the limit, `retryAfterSeconds`). Reaches the client too. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** For the log only. */
  readonly cause?: unknown;
}

/** A foreseen failure. Anything else that is thrown is a bug and reaches the client as `internal_error`. */
export class DuoguardError extends Error {
  override readonly name = 'DuoguardError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, options: ErrorOptionsWithDetails = {}) {
    super(options.message ?? ERRORS[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = ERRORS[code].status;
    this.details = options.details ?? {};
  }

  get whatToDo(): string {
    return ERRORS[this.code].whatToDo;
  }
}
