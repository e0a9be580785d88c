import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DuoguardError } from '../errors.ts';
import { CATEGORIES } from '../taxonomy.ts';
import { type Manifest, manifestSchema } from './manifest.ts';

export const MANIFEST = 'manifest.json';

/**
 * Reads and validates the manifest of a checkpoint directory. Throws
 * `checkpoint_manifest_unreadable`, `checkpoint_manifest_invalid` or `checkpoint_labels_mismatch`.
 */
export async function readManifest(directory: string): Promise<Manifest> {
  const parsed = manifestSchema.safeParse(await readJson(join(directory, MANIFEST)));
  if (!parsed.success) {
    throw new DuoguardError('checkpoint_manifest_invalid', {
      message: `manifest.json does not have the expected shape: ${z.prettifyError(parsed.error)}`,
    });
  }
  const manifest = parsed.data;
  checkLabels(manifest.labels);
  for (const path of [manifest.model, manifest.tokenizer]) {
    if (Object.hasOwn(manifest.files, path)) continue;
    throw new DuoguardError('checkpoint_manifest_invalid', {
      message: `manifest.json uses ${path} without naming its size and SHA-256 under files.`,
    });
  }
  return manifest;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new DuoguardError('checkpoint_manifest_unreadable', { cause: error });
  }
}

function checkLabels(labels: readonly string[]): void {
  const wrong = Math.max(
    CATEGORIES.findIndex((id, index) => labels[index] !== id),
    labels.length > CATEGORIES.length ? CATEGORIES.length : -1,
  );
  if (wrong < 0) return;
  throw new DuoguardError('checkpoint_labels_mismatch', {
    message: `Label ${wrong} of the checkpoint is ${labels[wrong] ?? 'missing'}, where ${CATEGORIES[wrong] ?? 'none'} is expected.`,
    details: { index: wrong, expected: CATEGORIES[wrong] ?? null },
  });
}
