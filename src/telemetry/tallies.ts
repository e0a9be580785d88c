import { Counter, Histogram, type Registry } from 'prom-client';

/**
 * Metrics for what happens with every request. prom-client checks and hashes labels for each observation, and a request
 * makes twenty of them: 8 us. Here an observation adds to numbers that are looked up once, and prom-client is told
 * when somebody reads.
 */

export interface Tally {
  /** Throws a `TypeError` for what is not finite. */
  observe(value: number): void;
}

interface TallyConfig {
  readonly name: string;
  readonly help: string;
  readonly registry: Registry;
}

/** A histogram with at most one label. */
export class TalliedHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #label: string | undefined;
  readonly #bounds: readonly number[];
  readonly #tallies = new Map<string, BucketTally>();

  constructor({ name, help, registry }: TallyConfig, bounds: readonly number[], label?: string) {
    super({ name, help, buckets: [...bounds], labelNames: label === undefined ? [] : [label], registers: [registry] });
    this.#name = name;
    this.#help = help;
    this.#label = label;
    this.#bounds = bounds;
    if (label === undefined) this.tally('');
  }

  /** The one of a value of the label. */
  tally(value: string): Tally {
    const known = this.#tallies.get(value);
    if (known !== undefined) return known;
    const tally = new BucketTally(this.#bounds);
    this.#tallies.set(value, tally);
    return tally;
  }

  /** What the registry asks, and `get` too. */
  async getForPromString() {
    const values = [...this.#tallies].flatMap(([value, tally]) =>
      tally.samples(this.#name, this.#label === undefined ? {} : { [this.#label]: value }),
    );
    return { name: this.#name, help: this.#help, type: 'histogram', values, aggregator: 'sum' };
  }
}

class BucketTally implements Tally {
  readonly #bounds: Float64Array;
  /** Not cumulative; the last is of what is above every bound. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is not a finite number`);
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  samples(name: string, labels: Readonly<Record<string, string>>) {
    let count = 0;
    const buckets = Array.from(this.#counts, (counted, bucket) => {
      count += counted;
      const le = this.#bounds[bucket] ?? '+Inf';
      return { labels: { le }, sharedLabels: labels, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels: {}, sharedLabels: labels, value: this.#sum, metricName: `${name}_sum` },
      { labels: {}, sharedLabels: labels, value: count, metricName: `${name}_count` },
    ];
  }
}

/** Events with labels of a few values each. */
export class TalliedCounter<L extends string> {
  readonly #labelNames: readonly L[];
  /** Since prom-client was told. */
  readonly #counts = new Map<string, { readonly labels: readonly string[]; count: number }>();

  constructor({ name, help, registry }: TallyConfig, labelNames: readonly L[]) {
    this.#labelNames = labelNames;
    const tell = (counter: Counter<L>) => this.#tell(counter);
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        tell(this);
      },
    });
  }

  /** The values of the labels, in their order. */
  inc(...labels: readonly string[]): void {
    const key = labels.join('\n');
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { labels, count: 1 });
    else known.count++;
  }

  #tell(counter: Counter<L>): void {
    for (const tally of this.#counts.values()) {
      const labels = Object.fromEntries(this.#labelNames.map((name, index) => [name, tally.labels[index]]));
      counter.inc(labels as Record<L, string>, tally.count);
    }
    this.#counts.clear();
  }
}
