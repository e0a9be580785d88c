import { DuoguardError } from '../errors.ts';
import type { StoredFeedback } from '../feedback/entry.ts';
import type { FeedbackService } from '../feedback/feedback-service.ts';
import { loadSeedWriter } from '../feedback/seed-rows.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Answer } from './answer.ts';
import { type Deadline, deadlineMs } from './deadline.ts';
import { errorAnswer, toDuoguardError } from './error-answer.ts';
import type { Exchange } from './exchange.ts';
import { invalidField } from './invalid-field.ts';
import type { Limits } from './judging.ts';
import { StreamEnding } from './stream-ending.ts';

const PAGE = 200;

export interface ExportDependencies {
  readonly limits: Pick<Limits, 'requestTimeoutMs' | 'streamTimeoutMs'>;
  readonly metrics: Pick<Metrics, 'recordFeedbackExported'>;
  readonly logger: Pick<Logger, 'info'>;
}

/**
 * Rows of the seed corpus as JSON lines, one page of the database in memory at a time. A database that is lost on the
 * way ends the answer with a line that holds the error, which no reader takes for a row; so does a client that takes no
 * page for as long as a request may take, or is not done when the time of a stream is over.
 */
export async function exportAnswer(
  service: FeedbackService,
  exchange: Exchange,
  deadline: Deadline,
  { limits, metrics, logger }: ExportDependencies,
): Promise<Answer> {
  const otherwise = askedLanguage(new URL(exchange.request.url).searchParams);
  // Before the status is sent, so that a database that is not there is a status.
  const first = await deadline.limit(service.exportable(PAGE, ''));
  const headers = {
    'content-type': 'application/x-ndjson',
    'content-disposition': 'attachment; filename="feedback.jsonl"',
  };
  // Nobody would read the stream to its end.
  if (exchange.request.method === 'HEAD') return { status: 200, headers, body: null };
  const toRow = await loadSeedWriter(otherwise);
  const encoder = new TextEncoder();
  let page: readonly StoredFeedback[] = first;
  const counts = { row: 0, no_text: 0, no_language: 0 };
  let over = false;

  const ending = new StreamEnding(deadlineMs(exchange.request.headers, limits.streamTimeoutMs));
  const pace = setTimeout(() => ending.abort(new DuoguardError('deadline_exceeded')), limits.requestTimeoutMs);
  const end = (error?: DuoguardError) => {
    if (over) return;
    over = true;
    clearTimeout(pace);
    for (const result of ['row', 'no_text', 'no_language'] as const) {
      metrics.recordFeedbackExported(result, counts[result]);
    }
    logger.info({ request_id: exchange.requestId, ...counts }, 'feedback exported');
    ending.end(error);
  };
  const fail = (controller: ReadableStreamDefaultController<Uint8Array>, thrown: unknown) => {
    if (over) return;
    const error = toDuoguardError(thrown);
    end(error);
    controller.enqueue(encoder.encode(`${JSON.stringify(errorAnswer(error, exchange.requestId).body)}\n`));
    controller.close();
    exchange.hangUp();
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        ending.signal.addEventListener('abort', () => fail(controller, ending.signal.reason), { once: true });
      },
      async pull(controller) {
        pace.refresh();
        try {
          const written = page.map(toRow);
          for (const row of written) counts[typeof row === 'string' ? row : 'row']++;
          const rows = written.filter((row) => typeof row !== 'string');
          controller.enqueue(encoder.encode(rows.map((row) => `${JSON.stringify(row)}\n`).join('')));
          const last = page.at(-1);
          page = page.length < PAGE || last === undefined ? [] : await service.exportable(PAGE, last.id);
          if (over || page.length > 0) return;
          end();
          controller.close();
        } catch (thrown) {
          fail(controller, thrown);
        }
      },
      cancel() {
        end();
      },
    },
    { highWaterMark: 0 },
  );
  return { status: 200, headers, body, ended: ending.ended };
}

/** Of the texts whose language nobody told and nothing can tell. */
function askedLanguage(query: URLSearchParams): string | undefined {
  const lang = query.get('lang') ?? undefined;
  if (lang !== undefined && !/^[a-z]{2}$/.test(lang)) throw invalidField(['lang'], 'expected two letters such as en');
  return lang;
}
