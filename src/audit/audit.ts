import type { ErrorCode } from '../errors.ts';
import type { ClassifyItem, ItemFailure, ItemVerdict, Verdict } from '../moderation/contract.ts';
import { canonicalLanguage, type DetectLanguage } from '../text/language.ts';
import { renderItem } from '../text/render.ts';
import type { AuditFile } from './audit-file.ts';
import { createRunningDigest, type RunningDigest, type TextDigest } from './text-digest.ts';

/** One request that was judged. */
export interface AuditedRequest {
  readonly requestId: string;
  /** The pattern of the route. */
  readonly route: string;
  /** Names the API key without telling it. */
  readonly keyId: string | undefined;
  readonly policy: string;
  readonly verdict: Verdict;
  /** One for each result. */
  readonly texts: readonly TextDigest[];
  /** Why a stream ended before it was done. */
  readonly cut?: ErrorCode | undefined;
}

export interface AuditSettings {
  readonly now?: () => Date;
  /** Left out: lines have no language. */
  readonly detectLanguage?: DetectLanguage | undefined;
}

/** Who was judged how, by what: one JSON line for each text, which itself is in none. */
export interface Audit {
  /** @param language where it is known already, as a language tag */
  digest(item: ClassifyItem, language?: string): TextDigest;
  /** For a text that arrives in pieces. */
  startDigest(language?: string): RunningDigest;
  record(request: AuditedRequest): void;
}

/** @param key of the HMAC: who has it and a text can look the text up, who has only the log can guess nothing. */
export function createAudit(
  key: string,
  file: Pick<AuditFile, 'append'>,
  { now = () => new Date(), detectLanguage }: AuditSettings = {},
): Audit {
  /** Of what a client says only the language itself is kept, which is two or three letters. */
  function tellLanguage(known: string | undefined): DetectLanguage | undefined {
    return known === undefined ? detectLanguage : () => canonicalLanguage(known);
  }

  return {
    digest(item, language) {
      const digest = createRunningDigest(key, tellLanguage(language));
      digest.update(renderItem(item));
      return digest.end();
    },
    startDigest: (language) => createRunningDigest(key, tellLanguage(language)),
    record({ requestId, route, keyId, policy, verdict, texts, cut }) {
      const time = now().toISOString();
      for (const [index, result] of verdict.results.entries()) {
        const line = {
          time,
          request_id: requestId,
          route,
          key: keyId ?? null,
          checkpoint: verdict.checkpoint,
          policy,
          index,
          ...texts[index],
          ...decision(result),
          ...(cut === undefined ? {} : { cut }),
        };
        file.append(JSON.stringify(line));
      }
    },
  };
}

/** The message of a failure stays out: it is for the client. */
function decision(result: ItemVerdict | ItemFailure): Record<string, unknown> {
  if ('error' in result) return { error: result.error.code };
  const { action, flagged, tokens, windows, category_scores: scores } = result;
  return { action, flagged, tokens, windows, scores };
}
