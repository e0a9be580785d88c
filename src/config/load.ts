import { DuoguardError } from '../errors.ts';
import { type Config, configSchema, infoOf, isSettingKey, SETTING_KEYS, type SettingKey } from './settings.ts';
import { readConfigFile, readEnvironment, readFlags, type SourceValues } from './sources.ts';

type Source = 'flag' | 'env' | 'file' | 'default';

export interface LoadedConfig {
  readonly config: Config;
  /** Where each value came from. */
  readonly sources: Readonly<Record<SettingKey, Source>>;
}

export type ConfigOutcome =
  | { readonly kind: 'config'; readonly loaded: LoadedConfig }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

/**
 * Flags beat variables, variables beat the file (`--config FILE` or `DUOGUARD_CONFIG`), the file beats the defaults.
 * Throws `invalid_config` that names everything wrong at once.
 */
export function loadConfig(argv: readonly string[], env: NodeJS.ProcessEnv): ConfigOutcome {
  const flags = readFlags(argv);
  if (flags.help) return { kind: 'help' };
  if (flags.version) return { kind: 'version' };

  const path = flags.configFile ?? env['DUOGUARD_CONFIG'];
  const file: SourceValues = path ? readConfigFile(path) : { values: {}, problems: [] };
  const environment = readEnvironment(env);
  const unreadable = [...flags.problems, ...file.problems];
  if (unreadable.length > 0) throw invalidConfig(unreadable);

  const sourceOf = (key: SettingKey): Source => {
    if (key in flags.values) return 'flag';
    if (key in environment.values) return 'env';
    return key in file.values ? 'file' : 'default';
  };
  const parsed = configSchema.safeParse({ ...file.values, ...environment.values, ...flags.values });
  if (!parsed.success) {
    throw invalidConfig(
      parsed.error.issues.map((issue) => {
        const key = issue.path[0] as SettingKey;
        return `${issue.path.join('.')}: ${issue.message} (from the ${sourceOf(key)})`;
      }),
    );
  }
  const sources = Object.fromEntries(SETTING_KEYS.map((key) => [key, sourceOf(key)])) as Record<SettingKey, Source>;
  return { kind: 'config', loaded: { config: parsed.data, sources } };
}

/** The effective settings as they may be printed: secrets as a count or a mask. */
export function printable(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      isSettingKey(key) && infoOf(key).secret ? masked(value) : value,
    ]),
  );
}

function masked(value: unknown): unknown {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? `[${value.length} hidden]` : '[hidden]';
}

function invalidConfig(problems: readonly string[]): DuoguardError {
  return new DuoguardError('invalid_config', { message: problems.join('\n') });
}
