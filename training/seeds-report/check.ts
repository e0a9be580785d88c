import type { Fault, SeedRow } from '../data/seeds.ts';
import { duplicateFaults } from './duplicates.ts';
import { linkFaults } from './links.ts';
import { openingFaults } from './openings.ts';

/** What the corpus must hold, but for the schema, which reading checks, and benchmarks, which not everybody has. */
export function checkSeeds(rows: readonly SeedRow[]): Fault[] {
  return [...linkFaults(rows), ...duplicateFaults(rows), ...openingFaults(rows)];
}
