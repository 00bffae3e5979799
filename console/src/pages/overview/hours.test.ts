import { expect, test } from 'vitest';
import { hoursOf } from './hours';

test('each hour of the range has its orders, and hours without any are there too', () => {
  const now = Date.parse('2026-06-01T12:40:00Z');
  const counts = [
    { hour: '2026-06-01T12:00:00Z', state: 'RUNNING', count: 2 },
    { hour: '2026-06-01T12:00:00Z', state: 'STUCK', count: 1 },
    { hour: '2026-06-01T10:00:00+00:00', state: 'COMPLETED', count: 5 },
    { hour: '2026-05-31T10:00:00Z', state: 'COMPLETED', count: 9 },
  ];
  const hours = hoursOf(counts, now, 3);
  expect(hours.map(({ at, count }) => [new Date(at).getUTCHours(), count])).toEqual([[10, 5], [11, 0], [12, 3]]);
  expect(hours[2]?.states.get('STUCK')).toBe(1);
});
