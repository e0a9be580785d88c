import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type LanguageModel, readLanguageModel } from '../../lexicon/language-model.ts';
import { LEXICONS_DIRECTORY } from '../../lexicon/lexicon-file.ts';

const loaded = new Map<string, LanguageModel>();

/** Languages that a text could be in by accident, besides its seed's. */
const RIVALS = ['en', 'fr', 'es', 'de'];

export interface TaskModels {
  readonly wanted: LanguageModel;
  /** Of the seed's language; undefined where there is none. */
  readonly own: LanguageModel | undefined;
  readonly rivals: readonly LanguageModel[];
}

/** Throws an `Error` that names the file when the wanted language has no model. */
export function languageModels(wanted: string, own: string): TaskModels {
  const rivals = [...new Set([own, ...RIVALS])].filter((lang) => lang !== wanted && hasModel(lang));
  return {
    wanted: modelOf(wanted),
    own: hasModel(own) ? modelOf(own) : undefined,
    rivals: rivals.map(modelOf),
  };
}

function modelOf(lang: string): LanguageModel {
  const model = loaded.get(lang) ?? readLanguageModel(lang);
  loaded.set(lang, model);
  return model;
}

function hasModel(lang: string): boolean {
  return loaded.has(lang) || existsSync(join(LEXICONS_DIRECTORY, `${lang}.model.json`));
}
