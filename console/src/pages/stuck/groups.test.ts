import { expect, test } from 'vitest';
import { classOf, groupsOf, type StuckOrder } from './groups';

function order(id: string, stuckReason: string, more: Partial<StuckOrder> = {}): StuckOrder {
  const steps = [
    { id: 'charge', status: 'COMPLETED', participant: 'payments', action: 'charge', lastError: null },
    { id: 'ship', status: 'STUCK', participant: 'shipping', action: 'ship', lastError: null },
  ];
  return { id, status: 'Placed', stuckReason, updatedAt: '2026-05-01T10:00:00Z', workflow: { name: 'w', version: 1 }, steps, ...more };
}

test('orders whose errors differ only by ids and numbers are one group', () => {
  const reason = (id: string) => `shipping.cancel_shipment failed for good: answered 409 Conflict: order ${id} has left the house`;
  const [group, ...others] = groupsOf([
    order('a-1', reason('a-1'), { updatedAt: '2026-05-01T10:00:00Z' }),
    order('b-2', reason('b-2'), { updatedAt: '2026-05-03T10:00:00Z' }),
    order('c-3', reason('c-3'), { updatedAt: '2026-05-02T10:00:00Z' }),
  ]);
  expect(others).toEqual([]);
  expect(group).toMatchObject({ step: 'ship', participant: 'shipping', action: 'cancel_shipment', kind: 'undo' });
  expect(group?.error).toBe('answered 409 Conflict: order … has left the house');
  expect([group?.firstSeen, group?.lastSeen]).toEqual(['2026-05-01T10:00:00Z', '2026-05-03T10:00:00Z']);
  expect(group?.orders.map((order) => order.id)).toEqual(['b-2', 'c-3', 'a-1']);
});

test('another version, step or status is another group', () => {
  const reason = 'shipping.cancel_shipment failed for good: answered 409 Conflict: gone';
  const groups = groupsOf([
    order('1', reason),
    order('2', reason, { workflow: { name: 'w', version: 2 } }),
    order('3', reason.replace('409', '422')),
  ]);
  expect(groups.length).toBe(3);
  expect(new Set(groups.map((group) => group.key)).size).toBe(3);
});

test('a held step is found by the participant and the action that the reason names', () => {
  const steps = [{ id: 'charge', status: 'RETRYING', participant: 'p', action: 'charge', lastError: 'answered 401' }];
  const [group] = groupsOf([order('1', 'p.charge is held for an operator: answered 401 (attempt 3, the last)', { steps })]);
  expect(group).toMatchObject({ step: 'charge', participant: 'p', kind: 'held', error: 'answered 401' });
});

test('ids, moments, quoted parts and numbers are left out of an error, and its status is kept', () => {
  expect(classOf('answered 422 Unprocessable Entity: ledger 4711 of "May" is closed', 'x')).toBe(
    'answered 422 Unprocessable Entity: ledger … of … is closed',
  );
  expect(classOf('request 0190163d-8694-739b-aea5-966c26f8ad91 at 2026-05-01 10:00:00 UTC took 3.5 s', 'x')).toBe('request … at … took … s');
});
