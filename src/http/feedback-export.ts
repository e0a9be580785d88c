import { DuoguardError } from '../errors.ts';
import type { StoredFeedback } from '../feedback/entry.ts';
import type { FeedbackService } from '../feedback/feedback-service.ts';
import { loadSeedWriter } from '../feedback/seed-rows.ts';
import type { Answer } from './answer.ts';
import { type Deadline, deadlineMs } from './deadline.ts';
import { errorAnswer, toDuoguardError } from './error-answer.ts';
import type { Exchange } from './exchange.ts';
import type { Limits } from './judging.ts';
import { StreamEnding } from './stream-ending.ts';

const PAGE = 200;

/**
 * Rows of the seed corpus as JSON lines, one page of the database in memory at a time. A database that is lost on the
 * way ends the answer with a line that holds the error, which no reader takes for a row; so does a client that takes no
 * page for as long as a request may take, or is not done when the time of a stream is over.
 */
export async function exportAnswer(
  service: FeedbackService,
  exchange: Exchange,
  deadline: Deadline,
  limits: Pick<Limits, 'requestTimeoutMs' | 'streamTimeoutMs'>,
): Promise<Answer> {
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
  let page: readonly StoredFeedback[] = first;
  let over = false;

  const ending = new StreamEnding(deadlineMs(exchange.request.headers, limits.streamTimeoutMs));
  const pace = setTimeout(() => ending.abort(new DuoguardError('deadline_exceeded')), limits.requestTimeoutMs);
  const end = (error?: DuoguardError) => {
    over = true;
    clearTimeout(pace);
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
          const rows = page.map(toRow).filter((row) => row !== undefined);
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
