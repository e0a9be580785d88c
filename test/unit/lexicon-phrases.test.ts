import { describe, expect, it } from 'vitest';
import { learnLexicon } from '../../training/lexicon/lexicon.ts';
import { readLexicon } from '../../training/lexicon/lexicon-file.ts';
import { learnPhrases } from '../../training/lexicon/phrases.ts';
import { isInflection, learnSynonyms } from '../../training/lexicon/synonyms.ts';

const pairs = [
  ['a card', 'une carte'],
  ['a new card', 'une nouvelle carte'],
  ['credit is good', 'crédit est bon'],
  ['a credit', 'un crédit'],
  ['credit card', 'carte de crédit'],
  ['my credit card', 'ma carte de crédit'],
  ['my card', 'ma carte'],
  ['my card', 'ma carte'],
  ['my card', 'ma carte'],
  ['the credit card', 'la carte de crédit'],
  ['the card', 'la carte'],
].map(([source = '', target = '']) => ({ source: source.split(' '), target: target.split(' ') }));

describe('phrases', () => {
  it('are learned where words one by one go wrong', () => {
    const phrases = learnPhrases(pairs, learnLexicon(pairs));
    expect(phrases.get('credit card')).toEqual([{ word: 'carte de crédit', share: 1 }]);
    expect(phrases.has('my card')).toBe(false);
  });

  it.each([
    ['fr', 'carte de crédit'],
    ['es', 'tarjeta de crédito'],
  ])('ship: credit card in %s', (to, expected) => {
    expect(readLexicon('en', `${to}.phrases`).get('credit card')?.[0]?.word).toBe(expected);
  });
});

describe('near-synonyms', () => {
  const to = (word: string, share = 1) => ({ word, share });
  const there = new Map([
    ['shop', [to('Laden')]],
    ['store', [to('Laden')]],
    ['shops', [to('Laden')]],
    ['sell', [to('Laden')]],
    ['load', [to('Laden', 0.3), to('Last', 0.7)]],
  ]);
  const back = new Map([
    ['laden', [to('shop', 0.5), to('store', 0.4), to('load', 0.1)]],
    ['last', [to('load')]],
  ]);

  it('lead to each other over the pivot', () => {
    const synonyms = learnSynonyms([{ there, back }]);
    expect(synonyms.get('shop')).toEqual([to('store', 0.4)]);
    expect(synonyms.get('store')).toEqual([to('shop', 0.5)]);
    expect(synonyms.get('load')).toBeUndefined();
    expect(synonyms.get('sell')).toBeUndefined();
  });

  it('need two of several pivots', () => {
    const other = { there: new Map([['shop', [to('magasin')]]]), back: new Map([['magasin', [to('shop')]]]) };
    expect(learnSynonyms([{ there, back }, other]).get('shop')).toBeUndefined();
    expect(
      learnSynonyms([
        { there, back },
        { there, back },
      ]).get('shop'),
    ).toContainEqual(to('store', 0.4));
  });

  it.each([
    ['steal', 'stealing', true],
    ['kill', 'kill', true],
    ['car', 'cars', true],
    ['kids', 'children', false],
    ['football', 'soccer', false],
  ])('are no inflections: %s, %s', (a, b, expected) => {
    expect(isInflection(a, b)).toBe(expected);
  });
});
