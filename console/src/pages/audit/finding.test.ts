import { expect, test } from 'vitest';
import { inWords } from './finding';

test('a changed event is named by its order and revision', () => {
  expect(inWords({ in: 'order', order: 'a-1', revision: 3, eventId: 'e', position: '17', fault: 'changed' })).toEqual({
    place: 'order a-1 revision 3',
    order: 'a-1',
    text: 'the event was changed: its hash does not fit its contents, eventId e, position 17',
  });
});

test('a row of a view has what the log and the view have', () => {
  const finding = { in: 'view', table: 'orders', row: 'a-1', order: 'a-1', column: 'status', log: '"Shipped"', view: '"Placed"' };
  expect(inWords(finding)).toEqual({ place: 'view orders row a-1 status', order: 'a-1', text: 'the log has "Shipped", the view has "Placed"' });
  expect(inWords({ ...finding, column: null, log: null }).text).toBe('the row has no events in the log');
});

test('a finding of an unknown kind is still shown with all that it has', () => {
  expect(inWords({ in: 'future', reason: 'odd', depth: 2 })).toEqual({ place: 'future', order: undefined, text: 'odd, depth 2' });
});
