import { expect, test } from 'vitest';
import { scaleOf } from './gantt';

test('a stretch in which nothing happens is short, and later moments stay later', () => {
  const day = 86_400_000;
  const scale = scaleOf([0, 100, 200, 300, day, day + 100]);
  expect(scale.gaps).toHaveLength(1);
  expect(scale.gaps[0]).toMatchObject({ from: 300, to: day });
  expect(scale.gaps[0]?.width).toBeLessThan(0.1);
  const places = [0, 100, 150, 300, day / 2, day, day + 100].map(scale.place);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places[0]).toBe(0);
  expect(places.at(-1)).toBeCloseTo(1);
});

test('one moment, or none, has a scale too', () => {
  expect(scaleOf([]).place(5)).toBe(0);
  expect(scaleOf([7]).place(7)).toBe(0);
});
