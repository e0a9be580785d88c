import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { DuoguardError } from '../errors.ts';
import { type PolicyRules, policyFileSchema } from './rules.ts';

type Path = readonly PropertyKey[];
type ParsedDocument = ReturnType<typeof parseDocument>;

/**
 * YAML, of which JSON is a part. Throws `invalid_config` with a line for each mistake: file, line, field and what was
 * expected. Values are not repeated.
 */
export function parsePolicyFile(text: string, file: string): ReadonlyMap<string, PolicyRules> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const broken = [...document.errors, ...document.warnings].map(
    (error) => `${file}:${lineAt(error.pos[0])}: not valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`,
  );
  if (broken.length > 0) throw invalidFile(broken);

  const parsed = policyFileSchema.safeParse(toValues(document, file));
  if (!parsed.success) {
    const places = parsed.error.issues.flatMap(placesOf);
    throw invalidFile(
      places.map(({ path, problem }) => `${file}:${lineAt(offsetOf(document, path))}: ${nameOf(path)}: ${problem}`),
    );
  }
  return new Map(Object.entries(parsed.data.policies));
}

/** An alias may stand for an alias, and so on: the parser gives up where that would grow without bounds. */
function toValues(document: ParsedDocument, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw invalidFile([`${file}:1: aliases cannot be resolved`]);
  }
}

function placesOf(issue: z.core.$ZodIssue): { path: Path; problem: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...issue.path, key], problem: 'is not known' }));
  }
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ path: issue.path, problem: message.charAt(0).toLowerCase() + message.slice(1) }];
}

/** Where the key of the field stands, or of the nearest field around it that exists. */
function offsetOf(document: ParsedDocument, path: Path): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const part of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && String(key.value) === part) : undefined;
    const place = isSeq(node) ? node.items[Number(part)] : pair?.key;
    if (!isNode(place)) break;
    offset = place.range?.[0] ?? offset;
    node = pair?.value ?? place;
  }
  return offset;
}

/** `policies.strict.phrases.deny[3]` */
function nameOf(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text === '' ? 'the file' : text.replace(/^\./, '');
}

function invalidFile(problems: readonly string[]): DuoguardError {
  return new DuoguardError('invalid_config', { message: problems.join('\n') });
}
