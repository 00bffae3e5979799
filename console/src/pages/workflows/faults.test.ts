import { expect, test } from 'vitest';
import { Problem } from '../../query/problem';
import { faultsOf } from './faults';

test('a fault with a line and a column is shown at its line', () => {
  const faults = [{ pointer: 'line 6, column 17', detail: 'steps.tell.call: no participant' }, { pointer: '/participants/mail/url', detail: 'MAIL_URL is missing' }];
  expect(faultsOf(new Problem('refused', 'wrong', { faults }))).toEqual([
    { line: 6, column: 17, place: '', detail: 'steps.tell.call: no participant' },
    { line: undefined, column: undefined, place: '/participants/mail/url', detail: 'MAIL_URL is missing' },
  ]);
});

test('a refusal without places is one fault', () => {
  expect(faultsOf(new Problem('refused', 'other text'))).toEqual([{ line: undefined, column: undefined, place: '', detail: 'other text' }]);
});
