import { expect, test } from 'vitest';
import { verdict, type Allowance } from './verdict';

const allowance = (operation: string, step: string | null, reason?: string): Allowance => ({ operation, step, allowed: reason === undefined, reason: reason ?? null });

test('an operation on a step is refused with the reason of that step', () => {
  const allowances = [allowance('SKIP', 'ship'), allowance('SKIP', 'charge', 'charge is answered'), allowance('CANCEL', null)];
  expect(verdict(allowances, 'skip', 'charge')).toEqual({ kind: 'refused', reason: 'charge is answered' });
  expect(verdict(allowances, 'skip', 'ship')).toEqual({ kind: 'accepted' });
});

test('a retry without a step is accepted if any step can be retried', () => {
  expect(verdict([allowance('RETRY', null, 'nothing waits'), allowance('RETRY', 'ship')], 'retry', undefined)).toEqual({ kind: 'accepted' });
  expect(verdict([allowance('RETRY', null, 'nothing waits')], 'retry', undefined)).toEqual({ kind: 'refused', reason: 'nothing waits' });
});
