export interface Progress {
  /** `note` follows the figures. */
  update(done: number, note?: string): void;
  /** Leaves the last state on the screen. Further updates do nothing. */
  finish(): void;
}

export interface ProgressOptions {
  readonly total: number;
  readonly unit: string;
  readonly stream?: NodeJS.WriteStream;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 100;
const LINE_MS = 10_000;

/** A bar that redraws itself on a terminal; elsewhere, such as in a log, a line every ten seconds and one at the end. */
export function createProgress({ total, unit, stream = process.stderr, now = Date.now }: ProgressOptions): Progress {
  const began = now();
  const interval = stream.isTTY ? REDRAW_MS : LINE_MS;
  let shown = stream.isTTY ? Number.NEGATIVE_INFINITY : began;
  let latest = '';
  let finished = false;

  const show = () => {
    shown = now();
    stream.write(stream.isTTY ? `\r\x1b[K${latest}` : `${latest}\n`);
  };
  return {
    update(done, note = '') {
      if (finished) return;
      const seconds = (now() - began) / 1000;
      const rate = seconds > 0 ? done / seconds : 0;
      const left = rate > 0 ? formatSeconds((total - done) / rate) : '?';
      const share = total > 0 ? done / total : 1;
      const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '·');
      const figures = `${done}/${total} ${unit}, ${rate.toFixed(rate < 10 ? 1 : 0)}/s, ${left} left`;
      latest = `${stream.isTTY ? `${bar} ` : ''}${(100 * share).toFixed(0).padStart(3)} % ${figures} ${note}`.trimEnd();
      if (now() - shown >= interval) show();
    },
    finish() {
      if (finished || latest === '') return;
      finished = true;
      show();
      if (stream.isTTY) stream.write('\n');
    },
  };
}

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
