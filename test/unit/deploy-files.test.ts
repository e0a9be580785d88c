import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { configSchema, infoOf, SETTING_KEYS } from '../../src/config/settings.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

const ROOT = join(import.meta.dirname, '../../deploy');
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(ya?ml|json)$/.test(file));

// biome-ignore lint/suspicious/noExplicitAny: files of many shapes; what the tests read of them they compare
type Tree = any;

/** Every document of a file. Fails on what a strict parser warns of, such as a key that stands twice. */
function parse(file: string): Tree[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  if (file.endsWith('.json')) return [JSON.parse(text)];
  return parseAllDocuments(text).map((document) => {
    expect([...document.errors, ...document.warnings], file).toEqual([]);
    return document.toJS();
  });
}

/** Names of series as a query reads them: a histogram has three. */
async function series(): Promise<Set<string>> {
  const types = [...(await createMetrics().render()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(
    types.flatMap(([, name, type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => `${name}${suffix}`) : [name as string],
    ),
  );
}

const metricNames = (text: string) => [...new Set(text.match(/\b(?:guardrail|process|nodejs)_\w+/g) ?? [])];

describe('deploy/', () => {
  it('has files that parse', () => {
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) expect(parse(file).length, file).toBeGreaterThan(0);
  });

  it('uses no metric that does not exist', async () => {
    const known = await series();
    const used = files.flatMap((file) =>
      metricNames(JSON.stringify(parse(file))).map((name) => (known.has(name) ? 'known' : `${file}: ${name}`)),
    );
    expect(used.length).toBeGreaterThan(30);
    expect(used.filter((name) => name !== 'known')).toEqual([]);
  });

  it('would notice one', async () => {
    const known = await series();
    expect(metricNames('rate(guardrail_planted_total[5m])').filter((name) => !known.has(name))).toEqual([
      'guardrail_planted_total',
    ]);
  });

  it('sets variables that exist', () => {
    const variables = new Set(SETTING_KEYS.map((key) => infoOf(key).env));
    const [compose] = parse('compose.yaml');
    const names = [
      ...Object.keys(compose.services.duoguard.environment),
      ...container().env.map(({ name }: Tree) => name),
    ];
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) expect(variables).toContain(name);
  });
});

function manifest(file: string): Tree {
  return parse(join('kubernetes', file))[0];
}

function pod(): Tree {
  return manifest('deployment.yaml').spec.template;
}

function container(): Tree {
  return pod().spec.containers[0];
}

describe('Kubernetes manifests', () => {
  const portNames = () => container().ports.map(({ name }: Tree) => name);

  it('select the pods of the deployment', () => {
    const { labels } = pod().metadata;
    expect(manifest('deployment.yaml').spec.selector.matchLabels).toEqual(labels);
    expect(manifest('service.yaml').spec.selector).toEqual(labels);
    expect(manifest('disruption-budget.yaml').spec.selector.matchLabels).toEqual(labels);
    expect(manifest('network-policy.yaml').spec.podSelector.matchLabels).toEqual(labels);
    expect(manifest('autoscaler.yaml').spec.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: 'duoguard' });
  });

  it('name ports that the container has', () => {
    const named = [
      ...manifest('service.yaml').spec.ports.map(({ targetPort }: Tree) => targetPort),
      ...manifest('network-policy.yaml').spec.ingress.flatMap(({ ports }: Tree) => ports.map(({ port }: Tree) => port)),
      ...['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => container()[probe].httpGet.port),
    ];
    for (const name of named) expect(portNames()).toContain(name);
    const metricsPort = container().env.find(({ name }: Tree) => name === 'DUOGUARD_METRICS_PORT').value;
    expect(container().ports.find(({ name }: Tree) => name === 'metrics').containerPort).toBe(Number(metricsPort));
  });

  it('leave more time than the drain takes', () => {
    const milliseconds = ['DUOGUARD_DRAIN_DELAY_MS', 'DUOGUARD_DRAIN_TIMEOUT_MS']
      .map((variable) => Number(container().env.find(({ name }: Tree) => name === variable).value))
      .reduce((sum, value) => sum + value);
    expect(pod().spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(milliseconds);
  });

  it('write only where the server does', () => {
    expect(container().securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod().spec.securityContext.runAsNonRoot).toBe(true);
    const stateDirectory = join('/app', configSchema.parse({}).state_dir);
    expect(container().volumeMounts.map(({ mountPath }: Tree) => mountPath)).toEqual([stateDirectory]);
  });

  it('are all in the kustomization but for the values of a chart', () => {
    const listed: string[] = manifest('kustomization.yaml').resources;
    const others = readdirSync(join(ROOT, 'kubernetes')).filter((file) => !listed.includes(file));
    expect(others.sort()).toEqual(['kustomization.yaml', 'prometheus-adapter.yaml']);
  });
});

describe('docs/deploy.md', () => {
  it('explains every alert and no other', () => {
    const page = readFileSync(join(ROOT, '../docs/deploy.md'), 'utf8');
    const explained = [...page.matchAll(/^\| `(Duoguard\w+)` \|/gm)].map(([, name]) => name);
    const [{ groups }] = parse('prometheus/alerts.yml');
    expect(explained).toEqual(groups[0].rules.map(({ alert }: Tree) => alert));
  });
});

describe('Grafana dashboard', () => {
  const [dashboard] = parse('grafana/dashboards/duoguard.json');

  it('has panels of their own place, each with a query', () => {
    const taken = new Set<string>();
    const ids = new Set<number>();
    for (const { id, type, title, gridPos, targets } of dashboard.panels) {
      ids.add(id);
      if (type !== 'row') expect(targets.length, title).toBeGreaterThan(0);
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
    expect(ids.size).toBe(dashboard.panels.length);
  });
});

function hasPromtool(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    if (process.env['CI'] === undefined) {
      console.warn('The rules for Prometheus were not checked: there is no promtool on the PATH.');
    }
    return false;
  }
}

describe.skipIf(!hasPromtool() && process.env['CI'] === undefined)('promtool', () => {
  it('accepts the configuration and its rules', () => {
    const output = execFileSync('promtool', ['check', 'config', join(ROOT, 'prometheus/prometheus.yml')]);
    expect(output.toString()).toMatch(/SUCCESS: 10 rules found/);
  });

  it('accepts every query of the dashboard as a rule', () => {
    const [dashboard] = parse('grafana/dashboards/duoguard.json');
    const queries: string[] = [
      ...dashboard.panels.flatMap(({ targets = [] }: Tree) => targets),
      ...dashboard.annotations.list,
    ].map(({ expr }: Tree) => expr);
    const rules = queries.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
    }));
    const file = join(temporaryDirectory(), 'rules.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const output = execFileSync('promtool', ['check', 'rules', file]);
    expect(output.toString()).toContain(`SUCCESS: ${queries.length} rules found`);
  });
});
