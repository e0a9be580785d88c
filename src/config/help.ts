import { configSchema, flagOf, infoOf, SETTING_KEYS, type SettingKey } from './settings.ts';

/** The text of `--help`, one setting a paragraph. */
export function helpText(): string {
  const settings = SETTING_KEYS.map(
    (key) => `  ${flagOf(key)}  (${infoOf(key).env}; default ${defaultOf(key)})\n      ${infoOf(key).description}`,
  );
  return [
    'Usage: node dist/src/main.js [--config FILE.json] [--SETTING VALUE ...]',
    '',
    'A flag beats its environment variable, which beats the key of the file (with underscores), which beats the default.',
    '',
    ...settings,
    '  --config  (DUOGUARD_CONFIG)\n      A JSON file with settings.',
    '  --help, --version',
  ].join('\n');
}

/** As the documentation shows it: JSON, or `none`. */
export function defaultOf(key: SettingKey): string {
  const value: unknown = configSchema.shape[key].parse(undefined);
  return value === undefined ? 'none' : JSON.stringify(value);
}
