import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { LongTexts } from '../checkpoint/long-texts.ts';
import type { CheckpointRegistry } from '../checkpoint/registry.ts';
import { DuoguardError } from '../errors.ts';
import type { Scored } from '../inference/engine.ts';
import { createPolicy, type Decision, type Direction, decide, type Policy, severityOf } from '../policy/decide.ts';
import { dependsOnLanguage, isMet } from '../policy/languages.ts';
import { defaultPolicies, type Policies } from '../policy/policies.ts';
import type { PolicyRules } from '../policy/rules.ts';
import { CATEGORIES, type PerCategory, perCategory } from '../taxonomy.ts';
import { canonicalLanguage, loadLanguageDetector } from '../text/language.ts';
import { renderItem } from '../text/render.ts';
import { mergeWindows } from '../text/windows.ts';
import {
  type Classifier,
  type ClassifyItem,
  type ClassifyRequest,
  DEFAULT_POLICY,
  type ItemFailure,
  type ItemVerdict,
} from './contract.ts';
import { explainItem } from './explain.ts';
import { prepareLongItem } from './long-item.ts';
import { readUnderPolicy } from './policy-reading.ts';
import { type PreparedItem, prepareItem } from './prepare.ts';

export interface ClassifierDependencies {
  /** To use one checkpoint for good: `createRegistry(checkpoint)`. */
  readonly registry: Pick<CheckpointRegistry, 'lease'>;
  /** Left out: only `default`, which blocks at the checkpoint's thresholds. */
  readonly policies?: Pick<Policies, 'find'>;
}

/** An item, and what the policy makes of its text before and after it is scored. */
interface GovernedItem extends PreparedItem {
  /** Those that are for its language. */
  readonly rules: PolicyRules;
  readonly policy: Policy;
  /** Undefined also when no rule asks for it. */
  readonly language: string | undefined;
  readonly deniedPhrase: number | undefined;
  /** Why it could not even be prepared. */
  readonly failure?: DuoguardError;
}

export function createClassifier({ registry, policies = defaultPolicies() }: ClassifierDependencies): Classifier {
  return {
    async classify(request) {
      const began = performance.now();
      const rules = findRules(policies, request.policy);
      const { checkpoint, release } = registry.lease();
      try {
        const govern = dependsOnLanguage(rules)
          ? await governByLanguage(request, checkpoint, rules, policies)
          : governAlike(request, checkpoint, rules);
        const items = await prepareItems(request, checkpoint, govern);
        const tokenization = performance.now() - began;
        const scored = await submit(items, checkpoint, request.signal);
        const judged = judgeItems(items, scored.scores);
        const explained = request.explain
          ? await explainItems(items, scored.scores, judged, checkpoint, request.signal)
          : { results: judged, queueMs: 0, inferenceMs: 0 };
        return {
          checkpoint: checkpoint.id,
          results: explained.results,
          usage: { tokens: tokensOf(items) },
          timing_ms: {
            tokenization,
            queue: scored.queueMs + explained.queueMs,
            inference: scored.inferenceMs + explained.inferenceMs,
            total: performance.now() - began,
          },
        };
      } finally {
        release();
      }
    },
  };
}

/** Which rules, and what of them, hold for an item. */
type Government = (item: ClassifyItem) => Pick<GovernedItem, 'rules' | 'policy' | 'language'>;

/** The policies of requests that change nothing about them: of each loading of the rules, for one checkpoint. */
const unchanged = new WeakMap<PolicyRules, { readonly thresholds: PerCategory<number>; readonly policies: Both }>();

type Both = Readonly<Record<Direction, Policy>>;

function governAlike(request: ClassifyRequest, checkpoint: Checkpoint, rules: PolicyRules): Government {
  const both = policiesOf(request, checkpoint, rules);
  return (item) => ({ rules, policy: both[request.direction ?? directionOf(item)], language: undefined });
}

function policiesOf(request: ClassifyRequest, { manifest }: Checkpoint, rules: PolicyRules): Both {
  const { thresholds } = manifest;
  const changes = request.thresholds !== undefined || request.categories !== undefined;
  const known = changes ? undefined : unchanged.get(rules);
  if (known?.thresholds === thresholds) return known.policies;
  const policyOf = (direction: Direction) => createPolicy(thresholds, request, rules, direction);
  const policies = { input: policyOf('input'), output: policyOf('output') };
  if (!changes) unchanged.set(rules, { thresholds, policies });
  return policies;
}

async function governByLanguage(
  request: ClassifyRequest,
  checkpoint: Checkpoint,
  rules: PolicyRules,
  policies: Pick<Policies, 'find'>,
): Promise<Government> {
  const others = findRules(policies);
  const given = request.language === undefined ? undefined : canonicalLanguage(request.language);
  const detect = given === undefined ? await loadLanguageDetector() : () => given;
  return (item) => {
    const language = detect(renderItem(item).normalize('NFKC'));
    const own = isMet(rules.languages, language) ? rules : others;
    const direction = request.direction ?? directionOf(item);
    const policy = createPolicy(checkpoint.manifest.thresholds, request, own, direction, language);
    return { rules: own, policy, language };
  };
}

/** Longest stretch of tokenising before other requests and health checks get their turn. */
const YIELD_AFTER_MS = 5;

async function prepareItems(
  request: ClassifyRequest,
  checkpoint: Checkpoint,
  govern: Government,
): Promise<(GovernedItem | DuoguardError)[]> {
  const { items, longInput, signal } = request;
  const prepared: (GovernedItem | DuoguardError)[] = [];
  let turnBegan = performance.now();
  for (const item of items) {
    if (performance.now() - turnBegan > YIELD_AFTER_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) break;
      turnBegan = performance.now();
    }
    const raw = renderItem(item);
    if (checkpoint.longTexts?.takes(raw)) {
      prepared.push(await prepareLong(raw, govern(item), checkpoint.longTexts, request));
      turnBegan = performance.now();
      continue;
    }
    prepared.push(
      unlessFailed(() => {
        const { rules, policy, language } = govern(item);
        const { readings: read, denied } = readUnderPolicy(rules, raw);
        const { tokens, windows, readings, sequences, readWindow } = prepareItem(raw, read, checkpoint, longInput);
        return { tokens, windows, readings, sequences, readWindow, rules, policy, language, deniedPhrase: denied };
      }),
    );
  }
  return prepared;
}

async function prepareLong(
  raw: string,
  governed: ReturnType<Government>,
  longTexts: LongTexts,
  { longInput, signal }: ClassifyRequest,
): Promise<GovernedItem> {
  try {
    const { item, denied } = await prepareLongItem(raw, governed.rules, longTexts, longInput, signal);
    return { ...item, ...governed, deniedPhrase: denied };
  } catch (error) {
    if (!(error instanceof DuoguardError) || signal.aborted) throw error;
    const nothing = { tokens: 0, windows: 0, readings: [], sequences: [], readWindow: () => Promise.reject(error) };
    return { ...nothing, ...governed, deniedPhrase: undefined, failure: error };
  }
}

async function submit(
  items: readonly (GovernedItem | DuoguardError)[],
  { engine }: Checkpoint,
  signal: AbortSignal,
): Promise<Scored> {
  const sequences =
    items.length === 1 ? sequencesOf(items[0] as GovernedItem | DuoguardError) : items.flatMap(sequencesOf);
  try {
    return await engine.submit(sequences, signal);
  } catch (error) {
    if (!(error instanceof DuoguardError)) throw error;
    if (!items.some((item) => !(item instanceof DuoguardError || item.failure) && mayPass(item.rules, error)))
      throw error;
    return { scores: sequences.map(() => error), queueMs: 0, inferenceMs: 0 };
  }
}

/** One after the other, so that a batch of items has no larger share of the queue than one. */
async function explainItems(
  items: readonly (PreparedItem | DuoguardError)[],
  scores: readonly (Float32Array | DuoguardError)[],
  judged: readonly (ItemVerdict | ItemFailure)[],
  checkpoint: Checkpoint,
  signal: AbortSignal,
) {
  const results: (ItemVerdict | ItemFailure)[] = [];
  let queueMs = 0;
  let inferenceMs = 0;
  let next = 0;
  for (const [index, item] of items.entries()) {
    const result = judged[index] as ItemVerdict | ItemFailure;
    const own = scores.slice(next, next + sequencesOf(item).length) as Float32Array[];
    next += own.length;
    if (item instanceof DuoguardError || 'error' in result) results.push(result);
    else if (!result.categories[result.top_category]) results.push({ ...result, spans: [] });
    else {
      const explanation = await explainItem(item, own, result.top_category, checkpoint, signal);
      results.push({ ...result, spans: explanation.spans });
      queueMs += explanation.queueMs;
      inferenceMs += explanation.inferenceMs;
    }
  }
  return { results, queueMs, inferenceMs };
}

/** In item order. Throws the first failure when every item failed, unless the policy knows what to do then. */
function judgeItems(
  items: readonly (GovernedItem | DuoguardError)[],
  scores: readonly (Float32Array | DuoguardError)[],
): (ItemVerdict | ItemFailure)[] {
  const results: (ItemVerdict | ItemFailure)[] = [];
  let next = 0;
  let failed = 0;
  let unforgiven: DuoguardError | undefined;
  for (let index = 0; index < items.length; index++) {
    const item = items[index] as GovernedItem | DuoguardError;
    const own = scores.slice(next, next + sequencesOf(item).length);
    next += own.length;
    const outcome = item instanceof DuoguardError ? item : judgeUnlessFailed(index, item, own);
    if (outcome instanceof DuoguardError) {
      const failure = failureOf(index, outcome, item);
      results.push(failure);
      failed++;
      if (failure.action === undefined) unforgiven ??= outcome;
    } else results.push(outcome);
  }
  if (unforgiven !== undefined && failed === items.length) throw unforgiven;
  return results;
}

function judgeUnlessFailed(
  index: number,
  item: GovernedItem,
  scores: readonly (Float32Array | DuoguardError)[],
): ItemVerdict | DuoguardError {
  const failure = item.failure ?? scores.find((score) => score instanceof DuoguardError);
  if (failure === undefined) return judge(index, item, scores as readonly Float32Array[]);
  // A denied phrase blocks even when the model is out of order.
  return item.deniedPhrase === undefined ? failure : judge(index, item, []);
}

/** `scores`: one row per sequence of the item; none when it has no text, which is safe, or is denied and was not scored. */
function judge(index: number, item: GovernedItem, scores: readonly Float32Array[]): ItemVerdict {
  const byReading = scores.length > 0 ? mergeReadings(item, scores) : [];
  const merged = byReading.length > 0 ? merge(byReading) : new Float32Array(CATEGORIES.length);
  const { flagged, action, score, categories, top_category, severity, denied_phrase } = withDenial(
    decide(merged, item.policy),
    item,
  );
  return {
    index,
    flagged,
    action,
    score,
    categories,
    top_category,
    ...(severity === undefined ? undefined : { severity }),
    ...(denied_phrase === undefined ? undefined : { denied_phrase }),
    category_scores: perCategory((_, label) => merged[label] as number),
    ...(item.language === undefined ? undefined : { language: item.language }),
    tokens: item.tokens,
    windows: item.windows,
    ...judgeViews(item, byReading),
  };
}

function merge(rows: readonly Float32Array[]): Float32Array {
  return rows.length === 1 ? (rows[0] as Float32Array) : mergeWindows(rows);
}

/** One row per reading. */
function mergeReadings({ readings }: PreparedItem, scores: readonly Float32Array[]): Float32Array[] {
  let next = 0;
  return readings.map(({ windows }) => {
    const own = scores.slice(next, next + windows.length);
    next += windows.length;
    return merge(own);
  });
}

/** Nothing when the normalised text was all there is. */
function judgeViews(
  { readings, policy }: GovernedItem,
  scores: readonly Float32Array[],
): Pick<ItemVerdict, 'views'> | undefined {
  if (scores.length === 0 || readings.every(({ view }) => view === 'normalized')) return undefined;
  return {
    views: readings.map(({ view }, index) => {
      const { flagged, score } = decide(scores[index] as Float32Array, policy);
      return { view, flagged, score };
    }),
  };
}

function findRules(policies: Pick<Policies, 'find'>, name = DEFAULT_POLICY): PolicyRules {
  const rules = policies.find(name);
  if (rules === undefined) {
    throw new DuoguardError('invalid_request', { message: 'policy: is not known.', details: { field: 'policy' } });
  }
  return rules;
}

function directionOf(item: ClassifyItem): Direction {
  return typeof item !== 'string' && 'response' in item ? 'output' : 'input';
}

function withDenial(
  decision: Decision,
  { deniedPhrase, policy }: GovernedItem,
): Decision & Pick<ItemVerdict, 'denied_phrase'> {
  if (deniedPhrase === undefined) return decision;
  const severity = policy.severity && { severity: severityOf(1, policy.severity) };
  return { ...decision, flagged: true, action: 'block' as const, ...severity, denied_phrase: deniedPhrase };
}

function failureOf(index: number, error: DuoguardError, item: GovernedItem | DuoguardError): ItemFailure {
  const failure = { index, error: { code: error.code, message: error.message } };
  if (item instanceof DuoguardError) return failure;
  const { rules } = item;
  if (!mayPass(rules, error)) return failure;
  if (rules.on_failure === 'closed') return { ...failure, action: 'block' };
  // What could not even be prepared may hold what the policy denies.
  return item.failure !== undefined && rules.phrases.deny.length > 0 ? failure : { ...failure, action: 'allow' };
}

/** Whether the policy decides what becomes of a text that failed so: not of what the client sent wrong or gave up. */
function mayPass(rules: PolicyRules, error: unknown): boolean {
  if (rules.on_failure === 'error' || !(error instanceof DuoguardError)) return false;
  return error.code === 'overloaded' || error.code === 'inference_failed' || error.code === 'worker_crashed';
}

function sequencesOf(item: PreparedItem | DuoguardError): PreparedItem['sequences'] {
  return item instanceof DuoguardError ? [] : item.sequences;
}

function tokensOf(items: readonly (PreparedItem | DuoguardError)[]): number {
  let tokens = 0;
  for (const item of items) if (!(item instanceof DuoguardError)) tokens += item.tokens;
  return tokens;
}

function unlessFailed<T>(work: () => T): T | DuoguardError {
  try {
    return work();
  } catch (error) {
    if (error instanceof DuoguardError) return error;
    throw error;
  }
}
