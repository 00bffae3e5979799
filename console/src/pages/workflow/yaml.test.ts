import { expect, test } from 'vitest';
import { partsOf } from './yaml';

const kinds = (line: string) => partsOf(line).map(({ kind, text }) => [kind, text]);

test('a key, its value and a comment are distinguished', () => {
  expect(kinds('  ship: # now')).toEqual([['text', '  '], ['key', 'ship'], ['text', ': '], ['comment', '# now']]);
  expect(kinds('# all')).toEqual([['comment', '# all']]);
});

test('a sign in a quoted text begins no comment', () => {
  expect(kinds(`with: { note: "a # b", other: 'c # d' }`).some(([kind]) => kind === 'comment')).toBe(false);
  expect(kinds('a#b')).toEqual([['text', 'a#b']]);
});

test('the parts of a line are the line', () => {
  for (const line of ['', '   ', "result: \"{ 'a': steps.ship }\" # x", '- b: c', "it's # so"]) {
    expect(partsOf(line).map((part) => part.text).join('')).toBe(line);
  }
});
