import { describe, expect, it } from 'vitest';
import { guardrailConfigSchema } from '../../training/guardrail/config.ts';

describe('settings of a guardrail run', () => {
  it('have a default each', () => {
    const { encoder, threads } = guardrailConfigSchema.parse({});
    expect(encoder.outputs).toBe(12);
    expect(threads).toBeGreaterThanOrEqual(1);
  });

  it('may be given one by one', () => {
    const { encoder } = guardrailConfigSchema.parse({ encoder: { layers: 3, ngrams: { orders: [] } } });
    expect(encoder).toMatchObject({ layers: 3, ngrams: { orders: [], buckets: 49_152 }, maxTokens: 160 });
  });

  it.each<[string, object, string]>([
    ['an unknown name', { encoder: { widht: 128 } }, 'encoder'],
    ['heads that do not divide the width', { encoder: { width: 128, heads: 3 } }, 'encoder.heads'],
    ['fewer positions than padding reaches', { encoder: { maxTokens: 20 } }, 'encoder.maxTokens'],
    ['another number of categories', { encoder: { outputs: 11 } }, 'encoder.outputs'],
    ['an unknown loss', { loss: 'hinge' }, 'loss'],
    ['nothing but unsafe rows', { balance: { unsafeShare: 1 } }, 'balance.unsafeShare'],
    ['a negative weight', { balance: { sourceWeights: { seeds: -1 } } }, 'balance.sourceWeights.seeds'],
  ])('are refused: %s', (_, config, path) => {
    const { error } = guardrailConfigSchema.safeParse(config);
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
