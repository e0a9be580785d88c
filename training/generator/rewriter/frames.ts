import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** A wording around a text; `{text}` stands once in it. */
export interface Frame {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

const templateSchema = z.string().refine((template) => template.split('{text}').length === 2, 'needs one {text}');
const frameListSchema = z.record(z.string().regex(/^[a-z]+(?:-[a-z]+)*$/), templateSchema);
const frameFileSchema = z.strictObject({
  /** Around any request: one that breaks rules still asks for the same, and a harmless one stays harmless. */
  unsafe: frameListSchema,
  /** Scary but harmless wording around a harmless text. */
  safe: frameListSchema,
});

const FRAMES_DIRECTORY = fileURLToPath(new URL('frames', import.meta.url));

type FrameFile = Readonly<Record<'unsafe' | 'safe', readonly Frame[]>>;

const NO_FRAMES: FrameFile = { unsafe: [], safe: [] };
const loaded = new Map<string, FrameFile>();

/**
 * Frames of a language for texts of a label; none for languages that nobody wrote frames for. Safe texts also get those of
 * unsafe ones: a frame that only one label has would tell the guardrail the label.
 */
export function framesOf(lang: string, unsafe: boolean): readonly Frame[] {
  const frames = loaded.get(lang) ?? readFrames(lang);
  loaded.set(lang, frames);
  return unsafe ? frames.unsafe : frames.safe;
}

/** Throws an `Error` that names the file when it is not a file of frames. */
function readFrames(lang: string): FrameFile {
  const path = `${FRAMES_DIRECTORY}/${lang}.json`;
  if (!existsSync(path)) return NO_FRAMES;
  let file: z.infer<typeof frameFileSchema>;
  try {
    file = frameFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Error(`${path}: not a file of frames: ${reason}`, { cause: error });
  }
  const unsafe = toFrames(file.unsafe);
  return { unsafe, safe: [...toFrames(file.safe), ...unsafe] };
}

function toFrames(list: Readonly<Record<string, string>>): Frame[] {
  return Object.entries(list).map(([name, template]) => {
    const [before = '', after = ''] = template.split('{text}');
    return { name, before, after };
  });
}
