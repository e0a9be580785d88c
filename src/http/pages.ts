import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Handler } from './exchange.ts';

/** A file of the pages for people, in memory. */
export interface Page {
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The documents themselves; every other file is served below /web/. */
const DOCUMENTS: Readonly<Record<string, string>> = { 'index.html': '/', 'docs.html': '/docs' };

/**
 * Nothing runs and nothing loads but our own files: no inline script or style, no other host, no frame around the page,
 * no form that leaves it.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/** Every file of a known type below `directory`, read once. Throws the system's error when it is missing. */
export function readPages(directory: string): Page[] {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'));
  return files.flatMap((file) => {
    const contentType = CONTENT_TYPES[extname(file)];
    if (contentType === undefined) return [];
    const text = readFileSync(join(directory, file), 'utf8');
    return [{ path: DOCUMENTS[file] ?? `/web/${file}`, contentType, text }];
  });
}

/** Not cached without asking: after an upgrade, scripts of two versions must not meet. */
export function createPageHandler({ contentType, text }: Page): Handler {
  const answer = {
    status: 200,
    headers: {
      'content-type': contentType,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-cache',
    },
    body: text,
  };
  return () => answer;
}
