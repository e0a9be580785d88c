import { createHmac } from 'node:crypto';

/** What the audit keeps of a text: enough to prove that a text one has was judged, nothing to read it from. */
export interface TextDigest {
  /** HMAC-SHA-256 of the text in UTF-8, in hex. */
  readonly hmac: string;
  /** Code points. */
  readonly length: number;
}

/** A text that arrives in pieces; the same digest as of the whole. */
export interface RunningDigest {
  update(piece: string): void;
  end(): TextDigest;
}

export function createRunningDigest(key: string): RunningDigest {
  const hmac = createHmac('sha256', key);
  let length = 0;
  /** The first half of a surrogate pair whose second half is in the next piece. */
  let half = '';
  function add(text: string): void {
    hmac.update(text, 'utf8');
    for (const _ of text) length++;
  }
  return {
    update(piece) {
      const text = half + piece;
      half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
      add(half === '' ? text : text.slice(0, -1));
    },
    end() {
      add(half);
      return { hmac: hmac.digest('hex'), length };
    },
  };
}
