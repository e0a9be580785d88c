import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DCLinter } from 'dclint';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { fieldsNotRead } from '../support/fields-not-read.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

const ROOT = join(import.meta.dirname, '../../deploy');
const KUBERNETES = join(ROOT, 'kubernetes');

// biome-ignore lint/suspicious/noExplicitAny: objects of several kinds, which the schemas are to judge
type Manifest = any;

/** The classes carry the schemas of Kubernetes' own OpenAPI description. */
const KINDS = [Deployment, HorizontalPodAutoscaler, NetworkPolicy, PodDisruptionBudget, Service].map((model) => ({
  apiVersion: model.apiVersion as string,
  kind: model.kind as string,
  model: model as new (data: Manifest) => { validate(): void },
}));

/** Of kustomize and of a chart: not objects of the cluster. */
const NOT_OBJECTS = ['kustomization.yaml', 'prometheus-adapter.yaml'];

/** What is wrong, or nothing. A schema of Kubernetes allows fields it does not know, so those are looked for as well. */
function complaints(manifest: Manifest): string[] {
  const found = KINDS.find(({ apiVersion, kind }) => manifest.apiVersion === apiVersion && manifest.kind === kind);
  if (found === undefined) return [`no schema of ${manifest.apiVersion} ${manifest.kind}`];
  try {
    // The model's constructor copies every field, so only its validation is watched.
    const model = new found.model(manifest);
    return fieldsNotRead(model, (watched) => model.validate.call(watched)).map((field) => `unknown field ${field}`);
  } catch (error) {
    return [(error as Error).message];
  }
}

function read(file: string): Manifest {
  return parseDocument(readFileSync(join(KUBERNETES, file), 'utf8')).toJS();
}

describe('Kubernetes manifests', () => {
  const files = readdirSync(KUBERNETES).filter((file) => !NOT_OBJECTS.includes(file));

  it('are all here', () => {
    expect(files).toHaveLength(5);
  });

  it.each(files)('agree with the schema of their kind: %s', (file) => {
    expect(complaints(read(file))).toEqual([]);
  });

  it.each<[string, (manifest: Manifest) => void, RegExp]>([
    ['a wrong type', ({ spec }) => Object.assign(spec, { replicas: 'three' }), /replicas must be integer/],
    ['a missing field', ({ spec }) => Object.assign(spec, { selector: undefined }), /selector/],
    ['an unknown field', ({ spec }) => Object.assign(spec, { replicaz: 3 }), /unknown field spec.replicaz/],
    [
      'an unknown field of a probe',
      ({ spec }) => Object.assign(spec.template.spec.containers[0].livenessProbe.httpGet, { prot: 1 }),
      /unknown field spec.template.spec.containers.0.livenessProbe.httpGet.prot/,
    ],
    ['an unknown field beside spec', (manifest) => Object.assign(manifest, { specs: {} }), /unknown field specs/],
    ['an unknown version', (manifest) => Object.assign(manifest, { apiVersion: 'apps/v1beta1' }), /no schema/],
  ])('would be found with %s', (_, spoil, complaint) => {
    const manifest = read('deployment.yaml');
    spoil(manifest);
    expect(complaints(manifest).join()).toMatch(complaint);
  });
});

describe('compose.yaml', () => {
  /** Violations of the schema of the compose specification; matters of taste are left out. */
  function violations(file: string): string[] {
    const linter = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] });
    const results: { messages: { rule: string; message: string }[] }[] = linter.lintFiles([file], false);
    return results
      .flatMap(({ messages }) => messages)
      .filter(({ rule }) => rule.startsWith('invalid-'))
      .map(({ message }) => message);
  }

  it('agrees with the compose specification', () => {
    expect(violations(join(ROOT, 'compose.yaml'))).toEqual([]);
  });

  it('would be found with a mistake', () => {
    const file = join(temporaryDirectory(), 'compose.yaml');
    const text = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');
    for (const [right, wrong] of [
      ['read_only: true', 'readonly: true'],
      ['restart: unless-stopped', 'restart: [always]'],
    ] as const) {
      expect(text).toContain(right);
      writeFileSync(file, text.replace(right, wrong));
      expect(violations(file).length).toBeGreaterThan(0);
    }
  });
});
