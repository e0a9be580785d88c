const SHORTEST = 4;

/**
 * One letter left out, added or replaced, or two neighbours exchanged, with the same first letter: what a reader overlooks
 * (Damerau 1964). Short words have too many neighbours that mean something else.
 */
export function isMisspellingOf(written: string, word: string): boolean {
  if (word.length < SHORTEST || written[0] !== word[0] || written === word) return false;
  const difference = written.length - word.length;
  if (difference > 1 || difference < -1) return false;
  let first = 1;
  while (first < word.length && written[first] === word[first]) first++;
  const rest = (text: string, skipped: number) => text.slice(first + skipped);
  if (difference === 1) return rest(written, 1) === rest(word, 0);
  if (difference === -1) return rest(written, 0) === rest(word, 1);
  if (rest(written, 1) === rest(word, 1)) return word.length > SHORTEST;
  return written[first] === word[first + 1] && written[first + 1] === word[first] && rest(written, 2) === rest(word, 2);
}
