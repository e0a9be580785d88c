import { isAbsolute } from 'node:path';
import { DuoguardError } from '../errors.ts';

/**
 * Judges a path of a manifest as it is written, before anything is read or fetched. Symbolic links are judged where
 * files are read. Throws `checkpoint_path_outside`.
 */
export function requireContained(path: string): void {
  if (isAbsolute(path) || /[\\\0]/.test(path) || path.split('/').includes('..')) throw pathOutside(path);
}

export function pathOutside(path: string): DuoguardError {
  return new DuoguardError('checkpoint_path_outside', {
    message: `The manifest names ${JSON.stringify(path)}, which is not inside the checkpoint directory.`,
    details: { file: path },
  });
}
