import { parseArgs } from 'node:util';
import { GameError } from '../game/game-error.ts';
import { rewriteReportPage } from '../game/write-report.ts';

const USAGE = `Usage: npm run train -- report --run DIR

Writes report.html of a game's run again, from its report.json.
`;

/** `npm run train -- report`. Writes the page's path to the standard output. */
export function reportCommand(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: { run: { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.run === undefined) throw new GameError('report needs --run, the directory of the run');
  process.stdout.write(`${rewriteReportPage(values.run)}\n`);
}
