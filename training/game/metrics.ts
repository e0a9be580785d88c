import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { type GameObserver, STAGES } from './observer.ts';
import type { RoundReport } from './report.ts';

export interface GameMetrics extends GameObserver {
  /** The Prometheus text format. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** What the game has reached, as gauges. */
export function createGameMetrics(): GameMetrics {
  const registry = new Registry();
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name: `guardrail_game_${name}`, help, labelNames, registers: [registry] });
  const round = gauge('round', 'The round that is being played.');
  const stage = gauge('stage', '1 for the stage that is under way.', ['stage']);
  const done = gauge('stage_progress_ratio', 'Share of the stage that is done.');
  const seconds = gauge('stage_seconds', 'How long the stage took the last time.', ['stage']);
  const auprc = gauge('auprc', 'AUPRC of the newest guardrail on held-out rows.', ['lang']);
  const fpr = gauge('false_positive_ratio', 'False-positive rate of the newest guardrail on held-out rows.', ['lang']);
  const success = gauge('attack_success_ratio', 'Attack success of the newest generator on the newest guardrail.');
  const gap = gauge('best_response_gap', 'That success minus the success on the guardrail of round 0.');
  const kl = gauge('kl_nats', 'KL of the newest generator to the first, nats per candidate.');
  const value = gauge('value_nats', "Value of the game, E[-log p(y|x')] - beta KL.");
  const kept = gauge('kept_rows', 'Candidates kept in the last round.', ['lang']);
  const candidates = gauge('candidates', 'Candidates of the last round.', ['level', 'lang']);
  const published = gauge('published_round', 'The last round whose guardrail was published.');

  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    log: () => {},
    stageBegan(number, name) {
      round.set(number);
      done.set(0);
      for (const other of STAGES) stage.set({ stage: other }, other === name ? 1 : 0);
    },
    progress: (_, part, total) => done.set(total === 0 ? 1 : part / total),
    stageEnded(_, name, took) {
      seconds.set({ stage: name }, took);
      done.set(1);
    },
    roundEnded(report) {
      for (const figures of report.heldOut) {
        setKnown(auprc, figures.lang, figures.auprc);
        setKnown(fpr, figures.lang, figures.fpr);
      }
      const newest = report.encounters.find(
        ({ generator, guardrail }) => generator === report.round && guardrail === report.round,
      );
      if (newest?.success != null) success.set(newest.success);
      if (report.gap !== null) gap.set(report.gap);
      if (report.value !== null) value.set(report.value);
      kl.set(report.kl);
      recordAttack(report);
      if (report.published?.checkpoint != null) published.set(report.round);
    },
  };

  function recordAttack({ attack }: RoundReport): void {
    for (const [lang, count] of Object.entries(attack?.kept ?? {})) kept.set({ lang }, count);
    for (const [lang, levels] of Object.entries(attack?.levels ?? {})) {
      for (const [level, count] of Object.entries(levels)) candidates.set({ level, lang }, count);
    }
  }
}

function setKnown(gauge: Gauge<'lang'>, lang: string, value: number | null): void {
  if (value !== null) gauge.set({ lang }, value);
}

/** Serves the metrics at /metrics of a port of this machine (0: any free one) until it is closed. */
export async function serveGameMetrics(
  metrics: GameMetrics,
  port: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    void metrics.render().then((text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text));
  });
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}
