import { expect, test } from 'vitest';
import { NAMES, NotACondition, conditionsIn, firstPage, toggled, whereOf, without } from './filter';

const now = Date.parse('2026-06-01T12:00:00Z');
const where = (query: string) => whereOf(new URLSearchParams(query), now);

test('an address has the whole filter of the API', () => {
  const query =
    'state=STUCK&state=PAUSED&status=BackOrdered&customer=AROUT&sku=tea&placedBy=web&workflow=order-fulfilment%402&step=ship' +
    '&stepStatus=WAITING&participant=shipping&olderThan=1h&stuckReason=401&late=true&minLines=2&totalFrom=100.00&totalTo=200&placedFrom=-24h&placedTo=2026-06-01T11:00:00Z' +
    '&updatedFrom=-30m&endedTo=-1d&attribute=delivery.floor%3D3&attribute=gift&attribute=note%3Dhello';
  expect(where(query)).toEqual({
    state: ['STUCK', 'PAUSED'],
    status: ['BackOrdered'],
    customer: ['AROUT'],
    sku: ['tea'],
    placedBy: ['web'],
    workflow: { name: 'order-fulfilment', version: 2 },
    step: { name: 'ship', status: ['WAITING'], participant: ['shipping'], olderThan: '1h' },
    stuckReason: '401',
    late: true,
    minLines: 2,
    total: { atLeast: '100.00', atMost: '200' },
    placedAt: { from: '2026-05-31T12:00:00.000Z', to: '2026-06-01T11:00:00.000Z' },
    updatedAt: { from: '2026-06-01T11:30:00.000Z' },
    endedAt: { to: '2026-05-31T12:00:00.000Z' },
    attributes: [{ path: ['delivery', 'floor'], value: 3 }, { path: ['gift'] }, { path: ['note'], value: 'hello' }],
  });
  const named = new Set(conditionsIn(new URLSearchParams(query)).map(({ name }) => name));
  expect(NAMES.filter((name) => !named.has(name))).toEqual(['updatedTo', 'endedFrom']);
});

test('what is no condition is an error, and is not left out', () => {
  for (const query of ['minLines=many', 'totalFrom=ten', 'placedFrom=yesterday', 'attribute=a..b', 'olderThan=long', 'late=perhaps']) {
    expect(() => where(query), query).toThrow(NotACondition);
  }
  expect(where('sort=TOTAL_ASC&columns=id&state=')).toEqual({});
});

test('a change of the conditions begins at the first page', () => {
  const query = new URLSearchParams('state=STUCK&customer=A&customer=B&after=x&sort=TOTAL_ASC');
  expect(without(query, 'customer', 'A').toString()).toBe('state=STUCK&customer=B&sort=TOTAL_ASC');
  expect(toggled(query, 'state', 'STUCK').getAll('state')).toEqual([]);
  expect(toggled(query, 'state', 'PAUSED').getAll('state')).toEqual(['STUCK', 'PAUSED']);
  expect(firstPage(query).has('after')).toBe(false);
});
