import { splitRows } from '../guardrail/load-corpus.ts';
import { derivedSeed, seededRandom } from '../random.ts';
import { drawRows } from './base-set.ts';
import type { GameConfig } from './config.ts';
import type { GameRow } from './contract.ts';

export interface BaseRows {
  readonly train: readonly GameRow[];
  /** Sets the guardrail's thresholds. */
  readonly calibration: readonly GameRow[];
  /** Measures, decides on publishing, and gives the seeds by which attacks are measured. */
  readonly evaluation: readonly GameRow[];
}

/** Of one source, language and label no more than this many rows are held in memory, a fair sample of them. */
const SAMPLE = 6_000;

/** Reads and draws the base set. Throws as `splitRows` does, naming file and line, and where a class is empty. */
export async function readBase({ data, seed, attack, languages }: GameConfig): Promise<BaseRows> {
  const wanted = new Set([...Object.keys(data.shares), ...languages, ...attack.from]);
  const sides = { train: new Map<string, Sample>(), heldOut: new Map<string, Sample>() };
  let number = 0;
  for await (const { row, heldOut, license } of splitRows(data.sources)) {
    number++;
    if (!wanted.has(row.lang)) continue;
    const { text, lang, unsafe, categories, source } = row;
    const key = `${source}/${lang}/${unsafe}`;
    const samples = sides[heldOut ? 'heldOut' : 'train'];
    const sample = samples.get(key) ?? new Sample(seededRandom(derivedSeed(seed, key)));
    samples.set(key, sample);
    sample.offer({ id: row.id ?? `${source}-${number}`, text, lang, unsafe, categories, source, license, round: 0 });
  }
  const rowsOf = (samples: ReadonlyMap<string, Sample>) => [...samples.values()].flatMap(({ rows }) => rows);
  const heldOut = drawRows(rowsOf(sides.heldOut), {
    ...data,
    seed: derivedSeed(seed, 'held out'),
    rows: data.heldOutRows * Object.keys(data.shares).length,
    shares: Object.fromEntries(Object.keys(data.shares).map((lang) => [lang, 1])),
  });
  return {
    train: drawRows(rowsOf(sides.train), { ...data, seed }),
    ...halves(heldOut),
  };
}

/** Each language and label alternates between the halves, so that neither lacks a class. */
function halves(rows: readonly GameRow[]): Omit<BaseRows, 'train'> {
  const seen = new Map<string, number>();
  const [calibration, evaluation]: [GameRow[], GameRow[]] = [[], []];
  for (const row of rows) {
    const key = `${row.lang}/${row.unsafe}`;
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    (count % 2 === 0 ? evaluation : calibration).push(row);
  }
  return { calibration, evaluation };
}

/** A uniform sample of a stream (Vitter's algorithm R). */
class Sample {
  readonly rows: GameRow[] = [];
  readonly #random: () => number;
  #offered = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  offer(row: GameRow): void {
    this.#offered++;
    if (this.rows.length < SAMPLE) {
      this.rows.push(row);
      return;
    }
    const at = Math.floor(this.#random() * this.#offered);
    if (at < SAMPLE) this.rows[at] = row;
  }
}
