import type { Candidate, GenerationTask, OnProgress, PreferencePair } from '../generator/contract.ts';
import type { GeneratorSkills, OnlineLearner } from '../generator/skills.ts';
import { derivedSeed, seededRandom } from '../random.ts';
import type { GameConfig } from './config.ts';
import type { Level } from './contract.ts';
import { type StopHead, stopFeatures } from './stop-head.ts';

/** What online preference learning needs of the game. */
export interface ChunkWriting {
  readonly tasks: readonly GenerationTask[];
  readonly rollOut: GeneratorSkills['rollOut'];
  /** Levels of all candidates, task by task. */
  readonly judge: (
    tasks: readonly GenerationTask[],
    candidates: readonly (readonly Candidate[])[],
  ) => Promise<readonly Level[]>;
  readonly learner: OnlineLearner;
  readonly stopHead: StopHead;
  readonly settings: GameConfig['pairs']['online'];
  /** Whether a misclassified candidate that lost its label is an outcome worse than a chosen one. */
  readonly unfaithfulRejected: boolean;
  readonly temperature: number;
  readonly seed: number;
}

export interface WrittenInChunks {
  /** In the order in which they were learned. */
  readonly pairs: readonly PreferencePair[];
  /** Prefixes that were rolled out. */
  readonly nodes: number;
  /** Texts that the stop head ended. */
  readonly stopped: number;
}

/** A text that is being written. */
interface Writing {
  readonly task: GenerationTask;
  /** What is settled. */
  prefix: readonly number[];
  /** Known once it has been rolled out. */
  slots: number;
  complete: boolean;
}

/** Texts that are written side by side, so that the guardrail judges many at a time. */
const AT_ONCE = 64;

/**
 * Flow-DPO (arXiv 2410.22304): texts grow by chunks. At each node the next chunk is drawn twice and both are rolled out to
 * the end; where one fools the guardrail and the other doesn't, the chunks are a pair, which is learned as soon as there is
 * a batch. From the second node on the text is also ended where it is, with the plain option in all slots that are left;
 * the stop head learns from that and decides whether the text goes on.
 */
export async function writeInChunks(options: ChunkWriting, onProgress?: OnProgress): Promise<WrittenInChunks> {
  const { tasks, learner, settings, seed } = options;
  const random = seededRandom(derivedSeed(seed, 'stop'));
  const pairs: PreferencePair[] = [];
  let learned = 0;
  let nodes = 0;
  let stopped = 0;
  for (let start = 0; start < tasks.length; start += AT_ONCE) {
    const texts = tasks
      .slice(start, start + AT_ONCE)
      .map((task): Writing => ({ task, prefix: [], slots: 0, complete: false }));
    for (let node = 0; node < settings.mostChunks; node++) {
      const open = texts.filter(({ complete }) => !complete);
      if (open.length === 0) break;
      nodes += open.length;
      const outcomes = await branch(options, open, node);
      for (const [i, text] of open.entries()) {
        const pair = advance(options, text, outcomes[i]!);
        if (pair) pairs.push(pair);
        if (!text.complete && random() < options.stopHead.probability(stopFeatures(text.prefix, text.slots))) {
          text.complete = true;
          stopped++;
        }
      }
      for (; pairs.length - learned >= settings.batchPairs; learned += settings.batchPairs) {
        await learner.step(pairs.slice(learned, learned + settings.batchPairs));
      }
    }
    onProgress?.(Math.min(tasks.length, start + AT_ONCE), tasks.length);
  }
  if (learned < pairs.length) await learner.step(pairs.slice(learned));
  return { pairs, nodes, stopped };
}

interface Branch {
  readonly candidate: Candidate;
  readonly level: Level;
}

/** Of each text: the next chunk, an alternative, and from the second node on the text as it would end here. */
async function branch(
  { rollOut, judge, temperature, seed }: ChunkWriting,
  open: readonly Writing[],
  node: number,
): Promise<readonly (readonly Branch[])[]> {
  const tasks = open.map(({ task }) => task);
  const prefixes = open.map(({ prefix, slots }) => {
    const ended = [...prefix, ...Array.from({ length: slots - prefix.length }, () => 0)];
    return node === 0 ? [prefix, prefix] : [prefix, prefix, ended];
  });
  const candidates = await rollOut(tasks, prefixes, { temperature, seed: derivedSeed(seed, `node ${node}`) });
  const levels = await judge(tasks, candidates);
  let next = 0;
  return candidates.map((own) => own.map((candidate) => ({ candidate, level: levels[next++]! })));
}

/** Settles the next chunk, teaches the stop head, and gives the pair if there is one. */
function advance(options: ChunkWriting, text: Writing, branches: readonly Branch[]): PreferencePair | undefined {
  const { settings, stopHead } = options;
  const [drawn, alternative, ended] = branches;
  if (drawn === undefined || alternative === undefined) {
    text.complete = true;
    return undefined;
  }
  text.slots = drawn.candidate.choices.length;
  const from = text.prefix.length;
  const chunk = Math.max(settings.chunk, Math.ceil(text.slots / settings.mostChunks));
  const to = Math.min(text.slots, from + chunk);
  const stopIsBetter = ended && firstIsBetter(ended, drawn, options);
  if (stopIsBetter !== undefined) stopHead.learn(stopFeatures(text.prefix, text.slots), stopIsBetter, settings.stop);
  text.prefix = drawn.candidate.choices.slice(0, to);
  text.complete = to === text.slots;
  const same = text.prefix.every((choice, slot) => choice === alternative.candidate.choices[slot]);
  const won = same ? undefined : firstIsBetter(drawn, alternative, options);
  if (won === undefined) return undefined;
  const [chosen, rejected] = won ? [drawn, alternative] : [alternative, drawn];
  return { task: text.task, chosen: chosen.candidate, rejected: rejected.candidate, slots: [from, to] };
}

/** `undefined` where the outcomes don't differ. */
function firstIsBetter(
  { level: a }: Branch,
  { level: b }: Branch,
  { unfaithfulRejected }: ChunkWriting,
): boolean | undefined {
  const worse = (level: Level) => level === 'rejected' || (unfaithfulRejected && level === 'unfaithful');
  if (a === 'chosen' && worse(b)) return true;
  return b === 'chosen' && worse(a) ? false : undefined;
}
