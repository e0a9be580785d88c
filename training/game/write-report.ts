import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { GameError } from './game-error.ts';
import { renderReport } from './page/report-page.ts';
import type { GameReport } from './report.ts';
import { RunDirectory } from './run-directory.ts';

/** `report.json`, and the same for people as `report.html`. */
export function writeReport(directory: RunDirectory, report: GameReport): void {
  directory.writeText('report.json', `${JSON.stringify(report, null, 2)}\n`);
  directory.writeText('report.html', renderReport(report));
}

/** What a page cannot do without; the rest of the file is ours. */
const readable = z.looseObject({
  format: z.literal(1),
  id: z.string(),
  config: z.looseObject({}),
  rounds: z
    .array(z.looseObject({ round: z.int(), heldOut: z.array(z.unknown()), encounters: z.array(z.unknown()) }))
    .min(1),
});

/** Writes a run's `report.html` again and returns its path. Throws a `GameError` that names the file it can't read. */
export function rewriteReportPage(runDirectory: string): string {
  const directory = new RunDirectory(runDirectory);
  const path = directory.file('report.json');
  if (!existsSync(path)) throw new GameError(`${path} is missing: no round of the run is through, or it is no game`);
  directory.writeText('report.html', renderReport(readReport(path)));
  return directory.file('report.html');
}

function readReport(path: string): GameReport {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new GameError(`${path}: ${(cause as Error).message}`, { cause });
  }
  const parsed = readable.safeParse(value);
  if (!parsed.success) throw new GameError(`${path} is no report of a game: ${z.prettifyError(parsed.error)}`);
  return value as GameReport;
}
