import type { TokenCounter } from './token-counter.ts';

/** The smallest part of a stream that windows are made of: a word with the white space before it, or less. */
export interface Segment {
  readonly text: string;
  /** At least 1: some tokenizers give white space none, and a chunk of nothing else has to end as well. */
  readonly tokens: number;
  /** Code points. */
  readonly length: number;
}

export interface StreamWindow {
  readonly index: number;
  /** Text that earlier windows judged, seen again. */
  readonly context: readonly Segment[];
  /** What this window judges for the first time. */
  readonly chunk: readonly Segment[];
  /** Where the chunk begins in the stream, in code points. */
  readonly start: number;
}

export interface WindowSizes {
  readonly chunkTokens: number;
  readonly contextTokens: number;
}

/** White space, then at most 32 characters of a word. At most 64 code points, so that scripts without spaces are cut too. */
const SEGMENT = /\s{1,32}\S{0,32}|\S{1,32}/uy;
const WHOLE_SEGMENT = /^\s{0,32}\S{32}$/u;
const HALF_A_PAIR_AT_END = /[\ud800-\udbff]$/;

/**
 * Cuts text that arrives in pieces into windows, each character into exactly one chunk:
 *
 *    stream   |--------|--------|--------|-----
 *    window 0 [ chunk  ]
 *    window 1      [ctx][ chunk  ]
 *    window 2               [ctx][ chunk  ]
 *
 * A word is cut off only once its end has arrived, whatever the pieces were, unless somebody flushes. Every segment is counted once; a chunk and
 * a context never have more tokens than their size, unless one single character has.
 */
export class StreamWindows {
  readonly #count: TokenCounter['count'];
  readonly #sizes: WindowSizes;
  #pending = '';
  #position = 0;
  #ended = false;
  #flushing = false;
  /** Parts of a word too long for a chunk. */
  #split: Segment[] = [];
  #chunk: Segment[] = [];
  #chunkTokens = 0;
  #context: readonly Segment[] = [];
  #index = 0;
  #start = 0;

  constructor(count: TokenCounter['count'], sizes: WindowSizes) {
    this.#count = count;
    this.#sizes = sizes;
  }

  push(text: string): void {
    this.#pending = this.#pending.slice(this.#position) + text;
    this.#position = 0;
  }

  /** No more text: what is left becomes windows too. */
  end(): void {
    this.#ended = true;
  }

  /** What has arrived becomes windows, the last word too, however it goes on. */
  flush(): void {
    this.#flushing = true;
  }

  /** Whether text has arrived that is in no window yet. */
  get waiting(): boolean {
    return this.#chunk.length > 0 || this.#split.length > 0 || this.#position < this.#pending.length;
  }

  /**
   * The next window that is complete. After `end`, `undefined` means that there is none any more; a stream without any
   * text is one empty window.
   */
  next(): StreamWindow | undefined {
    for (let segment = this.#nextSegment(); segment !== undefined; segment = this.#nextSegment()) {
      const full = this.#chunkTokens + segment.tokens > this.#sizes.chunkTokens && this.#chunk.length > 0;
      const window = full ? this.#close() : undefined;
      this.#chunk.push(segment);
      this.#chunkTokens += segment.tokens;
      if (window !== undefined) return window;
      if (this.#chunkTokens >= this.#sizes.chunkTokens) return this.#close();
    }
    const whole = this.#ended || this.#flushing;
    this.#flushing = false;
    const nothing = this.#chunk.length === 0 && !(this.#ended && this.#index === 0);
    return whole && !nothing ? this.#close() : undefined;
  }

  #close(): StreamWindow {
    const window = { index: this.#index, context: this.#context, chunk: this.#chunk, start: this.#start };
    this.#index += 1;
    this.#start += lengthOf(this.#chunk);
    this.#context = endWithin([...this.#context, ...this.#chunk], this.#sizes.contextTokens);
    this.#chunk = [];
    this.#chunkTokens = 0;
    return window;
  }

  #nextSegment(): Segment | undefined {
    const part = this.#split.pop();
    if (part !== undefined) return part;
    const text = this.#cut();
    if (text === undefined) return undefined;
    const [first, ...rest] = this.#measure(text);
    this.#split = rest.reverse();
    return first;
  }

  #cut(): string | undefined {
    SEGMENT.lastIndex = this.#position;
    const text = SEGMENT.exec(this.#pending)?.[0];
    if (text === undefined) return undefined;
    const end = this.#position + text.length;
    const mayGrow = end === this.#pending.length && !this.#ended;
    const complete = this.#flushing || WHOLE_SEGMENT.test(text);
    if (mayGrow && (!complete || HALF_A_PAIR_AT_END.test(text))) return undefined;
    this.#position = end;
    return wellFormed(text);
  }

  /** One segment, or its halves for as long as they do not fit into a chunk. */
  #measure(text: string): Segment[] {
    const tokens = Math.max(1, this.#count(text));
    const points = Array.from(text);
    if (tokens <= this.#sizes.chunkTokens || points.length === 1) return [{ text, tokens, length: points.length }];
    const middle = points.length >> 1;
    return [points.slice(0, middle), points.slice(middle)].flatMap((half) => this.#measure(half.join('')));
  }
}

/** The longest end of `segments` that has at most so many tokens. */
export function endWithin(segments: readonly Segment[], tokens: number): readonly Segment[] {
  let first = segments.length;
  let sum = 0;
  while (first > 0) {
    sum += (segments[first - 1] as Segment).tokens;
    if (sum > tokens) break;
    first -= 1;
  }
  return segments.slice(first);
}

export function textOf(segments: readonly Segment[]): string {
  return segments.map((segment) => segment.text).join('');
}

export function lengthOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.length, 0);
}

/** Half a surrogate pair that found no other half is no character; it becomes U+FFFD, one code point for one. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}
