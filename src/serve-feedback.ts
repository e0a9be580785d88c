import { join } from 'node:path';
import type { Config } from './config/settings.ts';
import type { Database } from './feedback/database.ts';
import { openEmbedded } from './feedback/embedded.ts';
import { createFeedbackService } from './feedback/feedback-service.ts';
import { openPostgres } from './feedback/postgres.ts';
import { createRecentTexts } from './feedback/recent-texts.ts';
import type { FeedbackDependencies } from './http/feedback-routes.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** Feedback of one server; nothing of it when neither a directory nor a PostgreSQL is configured. */
export function serveFeedback(
  config: Config,
  metrics: Metrics,
  logger: Logger,
): Pick<FeedbackDependencies, 'feedback' | 'recentTexts'> {
  const open = chooseDatabase(config);
  if (open === undefined) return {};
  const { feedback_recent_requests: requests, feedback_recent_seconds: seconds } = config;
  return {
    feedback: createFeedbackService({
      open,
      retentionDays: config.feedback_retention_days,
      maxRows: config.feedback_max_rows,
      onFailure: (error) => logger.error({ err: error }, 'the database of the feedback failed'),
      onExpired(rows) {
        metrics.recordFeedbackDeleted('retention', rows);
        logger.info({ rows }, 'old feedback deleted');
      },
    }),
    recentTexts: requests === 0 ? undefined : createRecentTexts(requests, seconds),
  };
}

function chooseDatabase(config: Config): ((onEnd: () => void) => Promise<Database>) | undefined {
  const { database_url: url, feedback_dir: directory } = config;
  if (url !== undefined) return () => openPostgres(url);
  if (directory !== undefined) return (onEnd) => openEmbedded(join(directory, 'feedback.db'), onEnd);
  return undefined;
}
