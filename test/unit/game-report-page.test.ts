import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { html, Markup } from '../../training/game/page/markup.ts';
import { renderReport } from '../../training/game/page/report-page.ts';
import { niceTicks, spread } from '../../training/game/page/scale.ts';
import { rewriteReportPage } from '../../training/game/write-report.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { inventedReport } from '../support/game-report.ts';

describe('markup', () => {
  it('escapes values, joins lists, keeps markup and writes nothing for null', () => {
    const inner = html`<b>${'a < b & "c"'}</b>`;
    expect(html`<p title="${"'"}">${[inner, 1, null]}</p>`.text).toBe(
      '<p title="&#39;"><b>a &lt; b &amp; &quot;c&quot;</b>1</p>',
    );
    expect(html`${new Markup('<i>')}`.text).toBe('<i>');
  });
});

describe('axes', () => {
  it('have round steps that enclose the values', () => {
    expect(niceTicks(0.61, 0.86)).toEqual([0.6, 0.7, 0.8, 0.9]);
    expect(niceTicks(-0.27, 0)).toEqual([-0.3, -0.2, -0.1, 0]);
    expect(niceTicks(Number.MIN_VALUE, Number.MIN_VALUE)).toEqual([0, 0.5]);
    const value = fc.double({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        fc.pre(high - low > 1e-6 || low === high);
        const ticks = niceTicks(low, high);
        const slack = 1e-6 * (ticks.at(-1)! - ticks[0]!);
        expect(ticks[0]).toBeLessThanOrEqual(low + slack);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(high - slack);
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(8);
      }),
    );
  });

  it('keep the names of curves apart and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 8 }), (positions) => {
        const placed = spread(positions, 10, 0, 100);
        const order = positions.map((_, i) => i).sort((a, b) => placed[a]! - placed[b]!);
        for (const [i, index] of order.slice(1).entries()) {
          expect(placed[index]! - placed[order[i]!]!).toBeGreaterThanOrEqual(10 - 1e-9);
          expect(positions[index]).toBeGreaterThanOrEqual(positions[order[i]!]!);
        }
        expect(placed.every((at) => at >= -1e-9 && at <= 100)).toBe(true);
      }),
    );
    expect(spread([50], 10, 0, 100)).toEqual([50]);
  });
});

describe('the page of a report', () => {
  it('shows the figures of every round and names no other file or host', () => {
    const page = renderReport(inventedReport());
    for (const figure of ['82.6 %', 'invented-r3', 'de: AUPRC 66.10 % after 67.20 %']) {
      expect(page).toContain(figure);
    }
    expect(page).not.toMatch(/\b(src|href)=|url\(|@import|https?:/);
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(renderReport(inventedReport())).toBe(page);
  });

  it('has the matrix with generators as rows and guardrails as columns', () => {
    const page = renderReport(inventedReport());
    const matrix = page.slice(page.indexOf('class="heat"'));
    const row = /<th scope="row">3<\/th>(.*?)<\/tr>/s.exec(matrix)![1]!;
    // 0.42 + 0.07 * 3 - 0.11 * guardrail
    expect([...row.matchAll(/>([\d.]+) %</g)].map(([, value]) => value)).toEqual(['63.0', '52.0', '41.0', '30.0']);
  });

  it('marks pairs that a linear probe tells apart', () => {
    const page = renderReport(inventedReport());
    expect(page).toContain('93.0 % above the limit');
    expect(page.match(/above the limit/g)).toHaveLength(1);
  });

  it('writes sample texts as text', () => {
    const page = renderReport(inventedReport());
    expect(page).not.toContain('<script');
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).toContain('&lt;b&gt;the bank&lt;/b&gt;');
  });

  it('does with round 0 alone', () => {
    const page = renderReport({ ...inventedReport(0), stopped: null });
    expect(page).toContain('the game goes on');
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('writing it again', () => {
  it('reads report.json of a run', () => {
    const run = temporaryDirectory();
    writeFileSync(join(run, 'report.json'), JSON.stringify(inventedReport(1)));
    expect(rewriteReportPage(run)).toBe(join(run, 'report.html'));
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toBe(renderReport(inventedReport(1)));
  });

  it.each([
    ['no report', undefined, /report\.json is missing/],
    ['a broken one', '{ "format": ', /report\.json: .*JSON/],
    ['something else', '{ "format": 2 }', /report\.json is no report of a game: .*format/s],
    ['no rounds', '{ "format": 1, "id": "x", "config": {}, "rounds": [] }', /is no report of a game: .*rounds/s],
  ])('names the file where there is %s', (_, text, message) => {
    const run = join(temporaryDirectory(), 'run');
    mkdirSync(run);
    if (text !== undefined) writeFileSync(join(run, 'report.json'), text);
    expect(() => rewriteReportPage(run)).toThrow(message);
  });
});
