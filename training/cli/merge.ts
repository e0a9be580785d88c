import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mergeGuardrails } from '../guardrail/merge.ts';

const USAGE = `Usage: npm run train -- merge --run DIR --run DIR [options]

Publishes one checkpoint whose logits are the mean of those of finished runs on the same data with the same tokenizer.

  --run DIR   a finished run of npm run train -- guardrail; two or more
  --out DIR   where checkpoints are published. Default: state/models
  --id ID     name of the checkpoint
  --activate  point active.json at the new checkpoint
  --float     keep the float model beside the int8 one
`;

/** `npm run train -- merge`. Writes the held-out figures to the standard output. */
export async function mergeCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      run: { type: 'string', multiple: true, default: [] },
      out: { type: 'string', default: join('state', 'models') },
      id: { type: 'string' },
      activate: { type: 'boolean', default: false },
      float: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.id === undefined) throw new Error('--id is needed, the name of the merged checkpoint');
  const figures = await mergeGuardrails({
    runs: values.run,
    id: values.id,
    modelsDirectory: values.out,
    activate: values.activate,
    keepFloat: values.float,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(`${JSON.stringify({ checkpoint: join(values.out, values.id), held_out: figures }, null, 2)}\n`);
}
