import { createRequire } from 'node:module';

/** Unicode's table of confusables: by character, what it may be taken for. */
const UNICODE: Readonly<Record<string, string>> = createRequire(import.meta.url)('unhomoglyph/data.json');

/**
 * Pairs of a character and the Latin letter it is read as, which Unicode leads elsewhere because they look less alike:
 * capitals at the size of small letters, Cyrillic and Greek of the same kind, letters in dark squares and circles.
 */
const READ_AS = [
  'ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz',
  'вbёeєeїiкkмmнhпnтt',
  'άaβbγyδdέeεeηnήnίiκkμmόoςsτtύuχxωwώw',
].join('');

const DARK_LETTERS = [0x1f150, 0x1f170];

/** Letters of the Latin alphabet proper and of European languages are what they are. */
const FIRST_DISGUISE = 0x180;

/** By look-alike, the one or two Latin letters it is read as. */
export const LOOK_ALIKES: ReadonlyMap<string, string> = createTable();

function createTable(): Map<string, string> {
  const table = new Map<string, string>();
  for (const [character, target] of Object.entries(UNICODE)) {
    const isLetter = /^\p{L}$/u.test(character) && (character.codePointAt(0) as number) >= FIRST_DISGUISE;
    if (isLetter && /^[A-Za-z]{1,2}$/.test(target)) table.set(character, target);
  }
  const pairs = [...READ_AS];
  for (let i = 0; i < pairs.length; i += 2) table.set(pairs[i] as string, pairs[i + 1] as string);
  for (const first of DARK_LETTERS) {
    for (let i = 0; i < 26; i += 1) table.set(String.fromCodePoint(first + i), String.fromCharCode(0x41 + i));
  }
  return table;
}
