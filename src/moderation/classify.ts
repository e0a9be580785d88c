import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { CheckpointRegistry } from '../checkpoint/registry.ts';
import { DuoguardError } from '../errors.ts';
import { createPolicy, type Decision, type Direction, decide, type Policy, severityOf } from '../policy/decide.ts';
import { dependsOnLanguage, isMet } from '../policy/languages.ts';
import { defaultPolicies, type Policies } from '../policy/policies.ts';
import type { PolicyRules } from '../policy/rules.ts';
import { CATEGORIES, perCategory } from '../taxonomy.ts';
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
import { createPolicyReader } from './policy-reading.ts';
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
}

export function createClassifier({ registry, policies = defaultPolicies() }: ClassifierDependencies): Classifier {
  return {
    async classify(request) {
      const began = performance.now();
      const rules = findRules(policies, request.policy);
      const { checkpoint, release } = registry.lease();
      try {
        const items = await prepareItems(
          request,
          checkpoint,
          await createGovernment(request, checkpoint, rules, policies),
        );
        const tokenization = performance.now() - began;
        const sequences = items.flatMap(sequencesOf);
        const scored = await checkpoint.engine.submit(sequences, request.signal).catch((error) => {
          if (!items.some((item) => !(item instanceof DuoguardError) && mayPass(item.rules, error))) throw error;
          return { scores: sequences.map(() => error), queueMs: 0, inferenceMs: 0 };
        });
        const judged = judgeItems(items, scored.scores);
        const explained = request.explain
          ? await explainItems(items, scored.scores, judged, checkpoint, request.signal)
          : { results: judged, queueMs: 0, inferenceMs: 0 };
        return {
          checkpoint: checkpoint.id,
          results: explained.results,
          usage: { tokens: items.reduce((sum, item) => sum + tokensOf(item), 0) },
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

async function createGovernment(
  request: ClassifyRequest,
  checkpoint: Checkpoint,
  rules: PolicyRules,
  policies: Pick<Policies, 'find'>,
): Promise<Government> {
  const policyOf = (own: PolicyRules, direction: Direction, language?: string) =>
    createPolicy(checkpoint.manifest.thresholds, request, own, direction, language);
  if (!dependsOnLanguage(rules)) {
    const both = { input: policyOf(rules, 'input'), output: policyOf(rules, 'output') };
    return (item) => ({ rules, policy: both[request.direction ?? directionOf(item)], language: undefined });
  }
  const others = findRules(policies);
  const given = request.language === undefined ? undefined : canonicalLanguage(request.language);
  const detect = given === undefined ? await loadLanguageDetector() : () => given;
  return (item) => {
    const language = detect(renderItem(item).normalize('NFKC'));
    const own = isMet(rules.languages, language) ? rules : others;
    return { rules: own, policy: policyOf(own, request.direction ?? directionOf(item), language), language };
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
    prepared.push(
      unlessFailed(() => {
        const governed = govern(item);
        const reader = createPolicyReader(governed.rules);
        const read = prepareItem(item, checkpoint, longInput, reader.read);
        return { ...read, ...governed, deniedPhrase: reader.denied };
      }),
    );
  }
  return prepared;
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
  let next = 0;
  const outcomes = items.map((item, index) => {
    if (item instanceof DuoguardError) return item;
    const own = scores.slice(next, next + item.sequences.length);
    next += item.sequences.length;
    const failure = own.find((score) => score instanceof DuoguardError);
    // A denied phrase blocks even when the model is out of order.
    if (failure !== undefined && item.deniedPhrase === undefined) return failure;
    return judge(index, item, failure === undefined ? (own as Float32Array[]) : []);
  });
  const failures = outcomes.filter((outcome) => outcome instanceof DuoguardError);
  const results = outcomes.map((outcome, index) =>
    outcome instanceof DuoguardError
      ? failureOf(index, outcome, items[index] as GovernedItem | DuoguardError)
      : outcome,
  );
  const unforgiven = outcomes.find((_, index) => results[index]?.action === undefined);
  if (unforgiven instanceof DuoguardError && failures.length === outcomes.length) throw unforgiven;
  return results;
}

/** `scores`: one row per sequence of the item; none when the item has no text, which is safe. */
function judge(index: number, item: GovernedItem, scores: readonly Float32Array[]): ItemVerdict {
  const byReading = mergeReadings(item, scores);
  const merged = byReading.length > 0 ? mergeWindows(byReading) : new Float32Array(CATEGORIES.length);
  return {
    index,
    ...withDenial(decide(merged, item.policy), item),
    category_scores: perCategory((_, label) => merged[label] as number),
    ...(item.language === undefined ? {} : { language: item.language }),
    tokens: item.tokens,
    windows: item.windows,
    ...judgeViews(item, byReading),
  };
}

/** One row per reading. */
function mergeReadings({ readings }: PreparedItem, scores: readonly Float32Array[]): Float32Array[] {
  let next = 0;
  return readings.map(({ windows }) => {
    const own = scores.slice(next, next + windows.length);
    next += windows.length;
    return mergeWindows(own);
  });
}

/** Nothing when the normalised text was all there is. */
function judgeViews({ readings, policy }: GovernedItem, scores: readonly Float32Array[]): Pick<ItemVerdict, 'views'> {
  if (scores.length === 0 || readings.every(({ view }) => view === 'normalized')) return {};
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

function withDenial(decision: Decision, { deniedPhrase, policy }: GovernedItem) {
  if (deniedPhrase === undefined) return decision;
  const severity = policy.severity && { severity: severityOf(1, policy.severity) };
  return { ...decision, flagged: true, action: 'block' as const, ...severity, denied_phrase: deniedPhrase };
}

function failureOf(index: number, error: DuoguardError, item: GovernedItem | DuoguardError): ItemFailure {
  const failure = { index, error: { code: error.code, message: error.message } };
  if (item instanceof DuoguardError) return failure;
  const { rules } = item;
  return mayPass(rules, error) ? { ...failure, action: rules.on_failure === 'open' ? 'allow' : 'block' } : failure;
}

/** Whether the policy decides what becomes of a text that failed so: not of what the client sent wrong or gave up. */
function mayPass(rules: PolicyRules, error: unknown): boolean {
  if (rules.on_failure === 'error' || !(error instanceof DuoguardError)) return false;
  return error.code === 'overloaded' || error.code === 'inference_failed' || error.code === 'worker_crashed';
}

function sequencesOf(item: PreparedItem | DuoguardError): PreparedItem['sequences'] {
  return item instanceof DuoguardError ? [] : item.sequences;
}

function tokensOf(item: PreparedItem | DuoguardError): number {
  return item instanceof DuoguardError ? 0 : item.tokens;
}

function unlessFailed<T>(work: () => T): T | DuoguardError {
  try {
    return work();
  } catch (error) {
    if (error instanceof DuoguardError) return error;
    throw error;
  }
}
