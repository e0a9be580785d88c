import type { Edit } from '../mapped-text.ts';

/** Characters kept on each side of an edit, a few sentences: the rest has been scored as it was. */
const CONTEXT = 150;
/** A cut moves up to so far outwards to fall between words. */
const WORD = 40;

/**
 * The edits, and others that cut away what lies far from all of them: a long text with one disguised word costs one more
 * window, not as many again as it has. Takes at least one edit.
 */
export function cutFarText(text: string, edits: readonly Edit[]): Edit[] {
  const cut: Edit[] = [];
  let kept = 0;
  for (const edit of edits) {
    const gap = cutBetween(text, kept, edit.start);
    if (gap) cut.push(gap);
    cut.push(edit);
    kept = edit.end;
  }
  const rest = cutBetween(text, kept, text.length);
  return rest ? [...cut, rest] : cut;
}

function cutBetween(text: string, from: number, to: number): Edit | undefined {
  const start = from === 0 ? 0 : endOfWord(text, from + CONTEXT);
  const end = to === text.length ? to : startOfWord(text, to - CONTEXT);
  return start + CONTEXT < end ? { start, end, text: '\n' } : undefined;
}

function endOfWord(text: string, at: number): number {
  const found = text.slice(at, at + WORD).search(/\s/);
  return found < 0 ? outsidePair(text, at) : at + found;
}

function startOfWord(text: string, at: number): number {
  const before = text.slice(Math.max(0, at - WORD), Math.max(0, at));
  const found = before.search(/\s\S*$/);
  return found < 0 ? outsidePair(text, at) : at - before.length + found + 1;
}

/** Never between the halves of a surrogate pair. */
function outsidePair(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00 ? at + 1 : at;
}
