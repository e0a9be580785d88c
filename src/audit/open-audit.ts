import { DuoguardError } from '../errors.ts';
import { loadLanguageDetector } from '../text/language.ts';
import { type Audit, createAudit } from './audit.ts';
import { type AuditFileOptions, openAuditFile } from './audit-file.ts';

export interface OpenAudit {
  /** Undefined when no path is set. */
  readonly audit: Audit | undefined;
  close(): Promise<void>;
}

export interface AuditOptions extends Omit<AuditFileOptions, 'path'> {
  readonly path: string | undefined;
  readonly key: string | undefined;
  /** Whether lines name the language of the text. */
  readonly language: boolean;
}

/** Throws `invalid_config` when there is a path and no key, or the file cannot be written. */
export async function openAudit({ path, key, language, ...options }: AuditOptions): Promise<OpenAudit> {
  if (path === undefined) return { audit: undefined, close: async () => {} };
  if (key === undefined) {
    throw new DuoguardError('invalid_config', { message: 'audit_key: is needed with audit_path.' });
  }
  const file = await openAuditFile({ path, ...options }).catch((error: NodeJS.ErrnoException) => {
    throw new DuoguardError('invalid_config', {
      message: `audit_path: cannot be written (${error.code}).`,
      cause: error,
    });
  });
  const detectLanguage = language ? await loadLanguageDetector() : undefined;
  return { audit: createAudit(key, file, { detectLanguage }), close: file.close };
}
