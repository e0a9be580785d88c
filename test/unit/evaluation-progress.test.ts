import { describe, expect, it } from 'vitest';
import { createProgress } from '../../training/cli/progress.ts';

function fakeStream(isTTY: boolean) {
  const written: string[] = [];
  return { written, stream: { isTTY, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream };
}

describe('createProgress', () => {
  it('redraws one line on a terminal', () => {
    const { written, stream } = fakeStream(true);
    let clock = 0;
    const progress = createProgress({ total: 200, unit: 'texts', stream, now: () => clock });
    clock = 1000;
    progress.update(50);
    progress.update(51);
    clock = 4000;
    progress.update(200, 'loss 0.5');
    progress.finish();
    progress.update(200);
    expect(written[0]).toBe('\r\x1b[K██████··················  25 % 50/200 texts, 50/s, 3 s left');
    expect(written.at(-2)).toContain('100 % 200/200 texts, 50/s, 0 s left loss 0.5');
    expect(written.at(-1)).toBe('\n');
    expect(written.join('')).not.toContain('51/200');
  });

  it('writes a line every ten seconds and the last state into a log', () => {
    const { written, stream } = fakeStream(false);
    let clock = 0;
    const progress = createProgress({ total: 100, unit: 'texts', stream, now: () => clock });
    for (clock = 1000; clock <= 25_000; clock += 1000) progress.update(clock / 1000);
    progress.finish();
    expect(written).toEqual([
      ' 10 % 10/100 texts, 1.0/s, 1 min 30 s left\n',
      ' 20 % 20/100 texts, 1.0/s, 1 min 20 s left\n',
      ' 25 % 25/100 texts, 1.0/s, 1 min 15 s left\n',
    ]);
  });
});
