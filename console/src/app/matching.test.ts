import { expect, test } from 'vitest';
import { matches } from './matching';

test('each word that is typed begins a word of the label', () => {
  expect(matches('Skip step…', 'sk')).toBe(true);
  expect(matches('Page Stuck and late', 'late page')).toBe(true);
  expect(matches('Page Orders', '')).toBe(true);
  expect(matches('Page Orders', 'rders')).toBe(false);
  expect(matches('Page Stuck and late', 'stuck-1')).toBe(false);
  expect(matches('Theme: dark', 'theme x')).toBe(false);
});
