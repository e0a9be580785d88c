/** What the pages know of the server's answers. */

export interface Message {
  role: string;
  content: string;
}

export type Input = string | { messages: Message[] } | { prompt: string; response: string };
export type Mode = 'text' | 'messages' | 'pair';

/** Half-open, in code points of the whole input. */
export interface Span {
  start: number;
  end: number;
  category: string;
  score: number;
}

export interface Result {
  flagged: boolean;
  action: string;
  categories: Record<string, boolean>;
  category_scores: Record<string, number>;
  top_category: string;
  tokens: number;
  windows: number;
  views?: { view: string; flagged: boolean }[];
  spans?: Span[];
}

export interface Answer {
  checkpoint: string;
  results: (Result | { error: { code: string; message: string } })[];
  timing_ms: { total: number };
}

export interface Info {
  version: string;
  labels: string[];
  checkpoint: { id: string; languages: string[]; thresholds: Record<string, number> } | null;
}

export interface Entry {
  /** Milliseconds since the epoch. */
  at: number;
  input: Input;
  fired: string[];
}
