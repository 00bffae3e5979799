import { expect, test } from 'vitest';
import { groupOf, type Trouble } from './groups';

const trouble = (example: string | null, error: string | null, more: Partial<Trouble> = {}): Trouble => ({
  id: 'x', kind: 'STUCK', workflow: 'w', version: 1, step: 'ship', participant: 'shipping', error, example, count: 3,
  firstSeen: '2026-05-01T10:00:00Z', lastSeen: '2026-05-03T10:00:00Z', ...more,
});

test('a reason names the participant, the action, and what happened', () => {
  const error = 'shipping.cancel_shipment failed for good: answered 409 Conflict: order # has left the house';
  expect(groupOf(trouble(error.replace('#', '10248'), error))).toMatchObject({
    participant: 'shipping', action: 'cancel_shipment', kind: 'undo', error: 'answered 409 Conflict: order # has left the house',
  });
  const numbered = groupOf(trouble('p2.charge3 is held for an operator: answered 401', '#.# is held for an operator: answered 401'));
  expect(numbered).toMatchObject({ participant: 'p2', action: 'charge3', kind: 'held', error: 'answered 401' });
});

test('what happened decides the kind', () => {
  const kind = (reason: string, of: Trouble['kind'] = 'STUCK') => groupOf(trouble(reason, reason, { kind: of })).kind;
  expect(kind('p.pay was never sent for a day')).toBe('unsent');
  expect(kind('the key of the personal data is missing')).toBe('key');
  expect(kind('something else')).toBe('other');
  expect(kind('p.pay failed for good: x', 'OVERDUE')).toBe('overdue');
  expect(kind('p.pay failed for good: x', 'LATE')).toBe('late');
  expect(groupOf(trouble(null, null))).toMatchObject({ kind: 'other', error: '', participant: 'shipping', action: undefined });
});
