import { readFileSync } from 'node:fs';
import { DuoguardError } from '../errors.ts';
import { perCategory } from '../taxonomy.ts';
import { parsePolicyFile } from './policy-file.ts';
import { DEFAULT_RULES, type PolicyRules } from './rules.ts';

/** The policy of requests that name none. A file may define it; otherwise it blocks at the checkpoint's thresholds. */
const DEFAULT = 'default';

export interface Policies {
  /** The rules that count now, or undefined for a name that nobody configured. */
  find(name: string): PolicyRules | undefined;
  /** In the order of the file, `default` first, as they may be shown: phrases as a count, `null` for what the checkpoint decides. */
  describe(): readonly object[];
  close(): void;
}

export interface PolicySources {
  readonly file: string | undefined;
  readonly onReload: (names: readonly string[]) => void;
  /** The old policies stay. Called once for each broken content. */
  readonly onFailure: (error: unknown) => void;
  readonly intervalMs?: number;
}

/**
 * The file is read whole and compared every second, because events of the file system miss what a symbolic link swaps,
 * as Kubernetes does with a mounted file. Throws `invalid_config` if the first reading fails.
 */
export function openPolicies({ file, onReload, onFailure, intervalMs = 1000 }: PolicySources): Policies {
  let text = file === undefined ? '' : readText(file);
  let current = withDefault(file === undefined ? new Map() : parsePolicyFile(text, file));
  let broken: string | undefined;

  function refresh(path: string): void {
    let next: string | undefined;
    try {
      next = readText(path);
      if (next === broken) return;
      broken = undefined;
      if (next === text) return;
      current = withDefault(parsePolicyFile(next, path));
      text = next;
      onReload([...current.keys()]);
    } catch (error) {
      const content = next ?? '';
      if (content !== broken) onFailure(error);
      broken = content;
    }
  }

  const timer = file === undefined ? undefined : setInterval(() => refresh(file), intervalMs).unref();
  return {
    find: (name) => current.get(name),
    describe: () => Array.from(current, ([name, rules]) => ({ name, ...describeRules(rules) })),
    close: () => clearInterval(timer),
  };
}

/** For tools that judge without a file. */
export function defaultPolicies(): Policies {
  return openPolicies({ file: undefined, onReload: () => {}, onFailure: () => {} });
}

function describeRules({ categories, phrases, ...rules }: PolicyRules): object {
  return {
    ...rules,
    severity: rules.severity ?? null,
    languages: rules.languages ?? null,
    categories: perCategory((id) => ({
      threshold: categories[id]?.threshold ?? null,
      action: categories[id]?.action ?? rules.default_action,
      direction: categories[id]?.direction ?? 'both',
      languages: categories[id]?.languages ?? null,
      by_language: categories[id]?.by_language ?? {},
    })),
    phrases: { deny: phrases.deny.length, allow: phrases.allow.length },
  };
}

function withDefault(policies: ReadonlyMap<string, PolicyRules>): ReadonlyMap<string, PolicyRules> {
  return new Map([[DEFAULT, DEFAULT_RULES], ...policies]);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new DuoguardError('invalid_config', { message: `policy_file: cannot be read (${reason}).` });
  }
}
