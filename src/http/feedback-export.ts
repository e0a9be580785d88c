import type { StoredFeedback } from '../feedback/entry.ts';
import type { FeedbackService } from '../feedback/feedback-service.ts';
import { loadSeedWriter } from '../feedback/seed-rows.ts';
import type { Answer, StreamEnd } from './answer.ts';
import type { Deadline } from './deadline.ts';
import { errorAnswer, toDuoguardError } from './error-answer.ts';
import type { Exchange } from './exchange.ts';

const PAGE = 200;

/**
 * Rows of the seed corpus as JSON lines, one page of the database in memory at a time. A database that is lost on the
 * way ends the answer with a line that holds the error, which no reader takes for a row.
 */
export async function exportAnswer(service: FeedbackService, exchange: Exchange, deadline: Deadline): Promise<Answer> {
  // Before the status is sent, so that a database that is not there is a status.
  const first = await deadline.limit(service.exportable(PAGE, ''));
  const headers = {
    'content-type': 'application/x-ndjson',
    'content-disposition': 'attachment; filename="feedback.jsonl"',
  };
  // Nobody would read the stream to its end.
  if (exchange.request.method === 'HEAD') return { status: 200, headers, body: null };
  const toRow = await loadSeedWriter();
  const encoder = new TextEncoder();
  let end: (error: StreamEnd) => void = () => {};
  const ended = new Promise<StreamEnd>((resolve) => {
    end = resolve;
  });
  let page: readonly StoredFeedback[] = first;

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const rows = page.map(toRow).filter((row) => row !== undefined);
          controller.enqueue(encoder.encode(rows.map((row) => `${JSON.stringify(row)}\n`).join('')));
          const last = page.at(-1);
          page = page.length < PAGE || last === undefined ? [] : await service.exportable(PAGE, last.id);
          if (page.length > 0) return;
          controller.close();
          end(undefined);
        } catch (thrown) {
          const error = toDuoguardError(thrown);
          controller.enqueue(encoder.encode(`${JSON.stringify(errorAnswer(error, exchange.requestId).body)}\n`));
          controller.close();
          end(error);
        }
      },
      cancel() {
        end(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { status: 200, headers, body, ended };
}
