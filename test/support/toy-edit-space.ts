import type { GenerationTask } from '../../training/generator/contract.ts';
import type { EditOption, EditSpace, Slot } from '../../training/generator/rewriter/edit-space.ts';

const option = (kind: EditOption['kind'], rank: number, text: string, share = 1): EditOption => ({
  kind,
  rank,
  text,
  share,
});

const FRAMES: Slot = {
  word: '',
  options: [option('keep', 0, 'none'), option('frame', 0, 'story'), option('frame', 1, 'quotation')],
};
const STYLES: Slot = { word: '', options: [option('keep', 0, ''), option('leetspeak', 0, 'leetspeak')] };

/** A word with two translations that may stay foreign, be written in leetspeak or dropped; numbers can only stay. */
function wordSlot(word: string, lang: string): Slot {
  if (/^\d+$/.test(word)) return { word, options: [option('keep', 0, word)] };
  const options = [
    option('translate', 0, `${word}${lang.toUpperCase()}`, 0.7),
    option('translate', 1, `${lang.toUpperCase()}${word}`, 0.3),
    option('keep-foreign', 0, word),
    option('leetspeak', 0, word.replaceAll('e', '3').replaceAll('o', '0')),
    option('drop', 0, ''),
  ];
  return { word, options };
}

/** An edit space without a lexicon: invented translations, two frames and one disguise. */
export function toyEditSpace(task: GenerationTask): EditSpace {
  const words = task.seed.text.split(' ').filter((word) => word !== '');
  const slots = [FRAMES, STYLES, ...words.map((word) => wordSlot(word, task.lang))];
  return {
    task,
    slots,
    render(choices) {
      const [frame, , ...written] = slots.map((slot, s) => slot.options[choices[s] as number]?.text ?? '');
      const text = written.filter((word) => word !== '').join(' ');
      return frame === 'none' ? text : `${frame}: ${text}`;
    },
  };
}

export function toyTask(text: string, lang = 'fr', unsafe = true): GenerationTask {
  return {
    seed: { id: `toy ${text}`, text, lang: 'en', unsafe, categories: unsafe ? ['hate'] : [], source: 'toy' },
    lang,
  };
}
