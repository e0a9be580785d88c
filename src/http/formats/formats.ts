import type { Format } from './format.ts';
import { openaiModerations } from './openai-moderations.ts';

/** Every foreign format that the server answers. */
export const FORMATS: readonly Format[] = [openaiModerations];
