import { expect, test } from 'vitest';
import { shortened, shown } from './text';

test('what would act on the text around it is shown as a symbol', () => {
  expect(shown('a\u0000b\u001b[2Jc\u007f')).toBe('a␀b␛[2Jc␡');
  expect(shown('x\u202ey\u2066z\u200bq')).toBe('x⟨U+202E⟩y⟨U+2066⟩z⟨U+200B⟩q');
  expect(shown('\ud800')).toBe('⟨U+D800⟩');
});

test('lines are kept where they are wanted', () => {
  expect(shown('a\nb')).toBe('a␊b');
  expect(shown('a\n\tb', true)).toBe('a\n\tb');
});

test('other scripts and emoji stay as they are', () => {
  for (const text of ['Größe', '日本語', 'مرحبا', '👩‍🚀', '<b>&amp;']) expect(shown(text)).toBe(text);
});

test('a long text is cut between characters', () => {
  expect(shortened('abc', 3)).toBe('abc');
  expect(shortened('abcd', 3)).toBe('ab…');
  expect(shortened('😀😀😀😀', 3)).toBe('😀😀…');
});
