import { readFileSync } from 'node:fs';
import { flagOf, infoOf, isSettingKey, SETTING_KEYS, type SettingKey } from './settings.ts';
import { suggest } from './suggest.ts';

/** What one source says, before validation, and what is wrong with how it says it. */
export interface SourceValues {
  readonly values: Partial<Record<SettingKey, unknown>>;
  readonly problems: readonly string[];
}

export interface Flags extends SourceValues {
  readonly help: boolean;
  readonly version: boolean;
  readonly configFile?: string;
}

const KEY_OF_FLAG: ReadonlyMap<string, SettingKey> = new Map(SETTING_KEYS.map((key) => [flagOf(key), key]));
const OTHER_FLAGS = ['--config', '--help', '--version'] as const;

/** `--key value` and `--key=value`. */
export function readFlags(argv: readonly string[]): Flags {
  const values: Partial<Record<SettingKey, unknown>> = {};
  const problems: string[] = [];
  let help = false;
  let version = false;
  let configFile: string | undefined;

  for (let position = 0; position < argv.length; position++) {
    const argument = argv[position] as string;
    const equals = argument.indexOf('=');
    const name = equals > 0 ? argument.slice(0, equals) : argument;
    if (name === '--help' || name === '-h') help = true;
    else if (name === '--version') version = true;
    else {
      const key = KEY_OF_FLAG.get(name);
      if (key === undefined && name !== '--config') {
        problems.push(unknown('flag', name, [...KEY_OF_FLAG.keys(), ...OTHER_FLAGS]));
        continue;
      }
      const text = equals > 0 ? argument.slice(equals + 1) : argv[++position];
      if (text === undefined) problems.push(`${name} needs a value`);
      else if (key === undefined) configFile = text;
      else values[key] = fromText(key, text);
    }
  }
  return { values, problems, help, version, ...(configFile === undefined ? {} : { configFile }) };
}

/**
 * Variables that no setting has are left alone: Kubernetes adds `DUOGUARD_SERVICE_HOST` and the like for a service of
 * that name. For the same reason a port that reads `tcp://...` is such a service link and not a setting.
 */
export function readEnvironment(env: NodeJS.ProcessEnv): SourceValues {
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of SETTING_KEYS) {
    const text = env[infoOf(key).env];
    if (text !== undefined && text !== '' && !text.startsWith('tcp://')) values[key] = fromText(key, text);
  }
  return { values, problems: [] };
}

export function readConfigFile(path: string): SourceValues {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return { values: {}, problems: [`${path}: ${error instanceof SyntaxError ? 'not valid JSON' : String(error)}`] };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { values: {}, problems: [`${path}: not a JSON object`] };
  }
  const problems = Object.keys(parsed)
    .filter((key) => !isSettingKey(key))
    .map((key) => `${path}: ${unknown('key', key, SETTING_KEYS)}`);
  return { values: parsed, problems };
}

/** A text that does not read as its kind is passed on as text, so that the schema reports what it wanted. */
function fromText(key: SettingKey, text: string): unknown {
  const kind = infoOf(key).kind;
  switch (kind) {
    case 'string':
      return text;
    case 'integer':
      return /^-?\d+$/.test(text.trim()) ? Number(text) : text;
    case 'list':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    default:
      return kind satisfies never;
  }
}

function unknown(what: string, name: string, candidates: readonly string[]): string {
  const meant = suggest(name, candidates);
  return `unknown ${what} ${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}
