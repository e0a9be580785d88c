import { createHmac } from 'node:crypto';
import type { DetectLanguage } from '../text/language.ts';

/** What the audit keeps of a text: enough to prove that a text one has was judged, nothing to read it from. */
export interface TextDigest {
  /** HMAC-SHA-256 of the text in UTF-8, in hex. */
  readonly hmac: string;
  /** Code points. */
  readonly length: number;
  /** ISO 639-1, null where it cannot be told; missing when nobody looks. */
  readonly language?: string | null;
}

/** A text that arrives in pieces; the same digest as of the whole. */
export interface RunningDigest {
  update(piece: string): void;
  end(): TextDigest;
}

/** Characters of the beginning that the language is told from. */
const SAMPLE_CHARACTERS = 900;

export function createRunningDigest(key: string, detectLanguage?: DetectLanguage): RunningDigest {
  const hmac = createHmac('sha256', key);
  let length = 0;
  /** The first half of a surrogate pair whose second half is in the next piece. */
  let half = '';
  let sample = '';
  function add(text: string): void {
    hmac.update(text, 'utf8');
    for (const _ of text) length++;
  }
  return {
    update(piece) {
      if (detectLanguage !== undefined && sample.length < SAMPLE_CHARACTERS) {
        sample += piece.slice(0, SAMPLE_CHARACTERS - sample.length);
      }
      const text = half + piece;
      half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
      add(half === '' ? text : text.slice(0, -1));
    },
    end() {
      add(half);
      const language = detectLanguage && { language: detectLanguage(sample) ?? null };
      return { hmac: hmac.digest('hex'), length, ...language };
    },
  };
}
