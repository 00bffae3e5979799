import { expect, test } from 'vitest';
import { blockOf, lineOf } from './lines';

const source = 'workflow: w\nparticipants:\n  ship: { url: x }\n# steps:\nsteps:\n  ship:\n    call: ship.go\ncompensated:\n  tell: { call: ship.tell }\n';

test('a step is found at its own line, and not where a participant has its name', () => {
  expect(lineOf(source, 'ship')).toBe(6);
  expect(lineOf(source, 'tell')).toBe(9);
  expect(lineOf(source, 'missing')).toBeUndefined();
});

test('the lines of a step end before the next one, and have no comments', () => {
  const text = 'steps:\n  charge:   # takes the money\n    call: p.charge\n\n    # not yet\n    with:\n      amount: order.total\n  ship: { call: p.ship } # last\ncompensated:\n  tell: { call: p.tell }\n';
  expect(blockOf(text, 'charge')).toBe('charge:\n  call: p.charge\n  with:\n    amount: order.total');
  expect(blockOf(text, 'ship')).toBe('ship: { call: p.ship }');
  expect(blockOf(text, 'tell')).toBe('tell: { call: p.tell }');
  expect(blockOf(text, 'missing')).toBe('');
});
