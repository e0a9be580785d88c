/** What the pages know of the server's answers. */

export interface Message {
  role: string;
  content: string;
}

export type Input =
  | string
  | { messages: Message[] }
  | { prompt: string; response: string }
  /** Sent in pieces. */
  | { stream: string };
export type Mode = 'text' | 'messages' | 'pair' | 'stream';

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
  severity?: string;
  denied_phrase?: number;
  views?: { view: string; flagged: boolean }[];
  spans?: Span[];
}

export interface Answer {
  checkpoint: string;
  policy?: string;
  results: (Result | { error: { code: string; message: string } })[];
  timing_ms: { total: number };
}

export interface Info {
  version: string;
  labels: string[];
  checkpoint: { id: string; languages: string[]; thresholds: Record<string, number> } | null;
}

export interface Policy {
  name: string;
  description?: string;
  categories: Record<string, { threshold: number | null; action: string; direction: string }>;
}

/** What one window or a whole stream came to. */
export type Judgement = Omit<Result, 'tokens' | 'windows' | 'views' | 'spans'>;

/** Offsets in code points of the whole text, half open. */
export type StreamEvent =
  | ({ event: 'verdict'; index: number; start: number; end: number; tokens: number } & Judgement)
  | { event: 'failure'; index: number; start: number; end: number; error: { message: string }; action: string }
  | { event: 'flag' }
  | { event: 'release'; start: number; end: number; text: string }
  | ({
      event: 'done';
      checkpoint: string;
      policy: string;
      windows: number;
      released: number;
      length: number;
      failed?: number;
      usage: { tokens: number };
      timing_ms: { total: number };
    } & (Judgement | { error: { message: string }; action: string }))
  | { event: 'error'; error: { message: string; request_id?: string } };

export interface Entry {
  /** Milliseconds since the epoch. */
  at: number;
  input: Input;
  fired: string[];
}
