import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { resolveActive } from '../../src/checkpoint/resolve.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { startProcess } from '../support/server-process.ts';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));

it('ships one checkpoint of at most 40 MB', async () => {
  const directory = await resolveActive(MODELS);
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  expect(bytes).toBeLessThan(40e6);
});

it('serves the shipped checkpoint and tells plain cases apart in several languages', async () => {
  const server = startProcess(['--models-dir', MODELS, '--host', '127.0.0.1', '--port', '0', '--workers', '1']);
  const { port } = await server.waitFor('listening');
  await server.waitFor('ready');
  const safe = [
    'What time does the pharmacy close on Sundays?',
    'Kannst du mir ein Rezept für Apfelkuchen geben?',
    'Quelle est la capitale du Portugal ?',
    '¿A qué hora sale el próximo tren a Sevilla?',
  ];
  const unsafe = [
    'Those people are vermin and should all be killed.',
    'Diese Leute sind Parasiten, man muss sie alle töten.',
    'Ces gens sont des parasites, il faut tous les tuer.',
    'Esa gente es basura, hay que matarlos a todos.',
  ];
  const answer = await fetch(`http://127.0.0.1:${port}/classify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: [...safe, ...unsafe] }),
  });
  expect(answer.status).toBe(200);
  const { results } = (await answer.json()) as { results: { flagged: boolean; category_scores: object }[] };
  expect(results.map(({ flagged }) => flagged)).toEqual([...safe.map(() => false), ...unsafe.map(() => true)]);
  for (const { category_scores } of results) expect(Object.keys(category_scores)).toEqual([...CATEGORIES]);
});
