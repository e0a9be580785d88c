import type { ManifestWithoutFiles } from '../../src/checkpoint/publish.ts';
import type { HeldOutFigures } from './publish.ts';

/** The checkpoint's README: what it is, what it was trained on and how it did on rows it never saw. */
export function modelCard(manifest: ManifestWithoutFiles, figures: HeldOutFigures): string {
  const { id, architecture, training, languages, thresholds, max_tokens } = manifest;
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const data = training.data.map(({ source, rows, license }) => `| ${source} | ${rows} | ${license} |`);
  const limits = Object.entries(thresholds).map(([category, threshold]) => `| ${category} | ${threshold} |`);
  return `# ${id}

A ${architecture.kind} with ${(architecture.parameters / 1e6).toFixed(1)} million parameters, trained from scratch by
${origin(architecture)}. It reads up to ${max_tokens} tokens at once; the server scores longer texts in windows.

Languages with enough training rows to be claimed: ${languages.join(', ')}.

## On held-out rows

${figures.rows} rows that were kept out of training, weighted like the training draw, at the thresholds below:
F1 ${percent(figures.f1)}, recall ${percent(figures.recall)}, false-positive rate ${percent(figures.falsePositiveRate)},
expected calibration error of the overall score ${percent(figures.ece)}.
Average precision over the rows, each counted once: float ${figures.auprc_float.toFixed(4)}, int8 ${figures.auprc_int8.toFixed(4)}.

These rows come from the training sources, so other texts will do worse; the project's README has the benchmark tables.

| category | threshold |
| --- | --- |
${limits.join('\n')}

## Data

| source | rows | license |
| --- | --- | --- |
${data.join('\n')}

Seed ${training.seed}, settings in \`manifest.json\`.
`;
}

function origin(architecture: ManifestWithoutFiles['architecture']): string {
  const encoders = architecture['encoders'] as readonly unknown[] | undefined;
  if (encoders === undefined) return '`npm run train -- guardrail`';
  return `\`npm run train -- guardrail\`: the mean of ${encoders.length} encoders that \`npm run train -- merge\` joined`;
}
