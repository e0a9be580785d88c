import { derivedSeed } from '../random.ts';
import { BYTE_CHARACTERS } from '../tokenizer/template.ts';

/**
 * Character n-grams of vocabulary tokens (fastText's subword information, arXiv 1607.04606, eq. 2, over tokens instead
 * of words): a token's vector is its own row plus those of the n-grams it is spelled with. So `kill`, `killing` and
 * `killer`, and `sécurité` and `security`, learn from each other. It only exists while training: when a model is
 * exported the sums are written into the tokens' own rows.
 */
export interface CharacterNgrams {
  /** 0 turns them off. */
  readonly buckets: number;
  readonly shortest: number;
  readonly longest: number;
}

/** Which extra rows each table row is composed of: those of row r are `rows[offsets[r]]` to before `rows[offsets[r + 1]]`. */
export interface Composition {
  readonly offsets: Int32Array;
  readonly rows: Int32Array;
}

/**
 * `tokens` are the strings of a byte-level vocabulary by id, undefined where an id is special. Rows are numbered from
 * `firstRow`. Tokens that are not whole characters have no n-grams.
 */
export function composeTokens(
  tokens: readonly (string | undefined)[],
  ngrams: CharacterNgrams,
  firstRow: number,
): Composition {
  const offsets = new Int32Array(tokens.length + 1);
  const rows: number[] = [];
  for (const [id, token] of tokens.entries()) {
    const spelling = token === undefined || ngrams.buckets === 0 ? undefined : spell(token);
    if (spelling !== undefined) {
      const characters = [...spelling];
      for (let n = ngrams.shortest; n <= Math.min(ngrams.longest, characters.length); n++) {
        for (let start = 0; start + n <= characters.length; start++) {
          const hash = derivedSeed(0, characters.slice(start, start + n).join(''));
          rows.push(firstRow + (hash % ngrams.buckets));
        }
      }
    }
    offsets[id + 1] = rows.length;
  }
  return { offsets, rows: Int32Array.from(rows) };
}

/** The text of a byte-level token without its accents; a leading space stays as a mark of the word's beginning. */
function spell(token: string): string | undefined {
  const bytes = Uint8Array.from(token, (character) => BYTE_OF.get(character) ?? 0);
  try {
    return DECODER.decode(bytes).normalize('NFD').replaceAll(/\p{M}/gu, '');
  } catch {
    return undefined;
  }
}

const DECODER = new TextDecoder('utf-8', { fatal: true });

const BYTE_OF: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));
