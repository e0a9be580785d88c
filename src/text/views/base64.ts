import { isUtf8 } from 'node:buffer';
import type { Edit } from '../mapped-text.ts';
import type { Uncover } from './view.ts';

/** From 12 bytes on: shorter texts hide little, and words start to decode by chance. */
const RUNS = /[A-Za-z0-9+/_-]{16,}={0,2}/g;
const CONTROLS = /(?![\n\r\t])\p{Cc}/u;
const LETTERS = /\p{L}/gu;
const LEAST_LETTERS = 0.6;

/** Long words, rules and numbers are not; of 12 bytes hardly one in a hundred thousand encodes so. */
const isMixedCase = (run: string): boolean => /[A-Z]/.test(run) && /[a-z]/.test(run);

/** Base64, in either alphabet, that decodes to text: it is read in place, so that what stands around it keeps its say. */
export const uncoverBase64: Uncover = (text) => {
  const edits: Edit[] = [];
  for (const { 0: run, index } of text.matchAll(RUNS)) {
    const decoded = decode(run);
    if (decoded !== undefined) edits.push({ start: index, end: index + run.length, text: decoded });
  }
  return edits;
};

function decode(run: string): string | undefined {
  if (!isMixedCase(run) || run.replace(/=+$/, '').length % 4 === 1) return undefined;
  const bytes = Buffer.from(run, 'base64');
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  if (CONTROLS.test(text)) return undefined;
  const letters = text.match(LETTERS)?.length ?? 0;
  return letters >= LEAST_LETTERS * [...text].length ? text : undefined;
}
