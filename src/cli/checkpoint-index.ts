import { parseArgs } from 'node:util';
import { writeIndex } from '../checkpoint/publish.ts';

const USAGE = `Usage: npm run -s checkpoint-index -- [DIRECTORY]

Writes index.json into a directory of checkpoints (default: models), which makes it a store for servers elsewhere.
Publishing does that by itself; this is for checkpoints that were copied there or removed by hand.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', default: false } },
});
if (values.help) process.stdout.write(USAGE);
else await writeIndex(positionals[0] ?? 'models');
