import { expect, test } from 'vitest';
import { lineOf } from './lines';

const source = 'workflow: w\nparticipants:\n  ship: { url: x }\n# steps:\nsteps:\n  ship:\n    call: ship.go\ncompensated:\n  tell: { call: ship.tell }\n';

test('a step is found at its own line, and not where a participant has its name', () => {
  expect(lineOf(source, 'ship')).toBe(6);
  expect(lineOf(source, 'tell')).toBe(9);
  expect(lineOf(source, 'missing')).toBeUndefined();
});
