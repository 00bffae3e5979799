import { expect, test } from 'vitest';
import { duration, relative } from './time';

test('a duration has at most two units', () => {
  const cases: [number, string][] = [
    [0, '0 ms'], [999, '999 ms'], [1500, '1.5 s'], [9999, '9.9 s'], [59_999, '59 s'], [60_000, '1 min'],
    [95_000, '1 min 35 s'], [3_600_000, '1 h'], [5_400_000, '1 h 30 min'], [90_000_000, '1 d 1 h'], [864_000_000, '10 d'],
    [Number.NaN, '–'],
  ];
  for (const [ms, text] of cases) expect(duration(ms)).toBe(text);
});

test('a moment is shown by its distance from now', () => {
  expect(relative(0, 1000)).toBe('just now');
  expect(relative(0, 185_000)).toBe('3 min ago');
  expect(relative(7_300_000, 0)).toBe('in 2 h');
});
