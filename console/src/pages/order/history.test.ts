import { expect, test } from 'vitest';
import { answerOf, attemptsOf, inputOf, previousOf, type Attempt } from './history';
import type { OrderEvent } from './queries';

const event = (revision: number, type: string, data: OrderEvent['data']): OrderEvent => ({
  revision, type, data, step: 'charge', recordedAt: '2026-05-01T10:00:00Z', summary: '', actor: null, approvedBy: null, reason: null, hash: '', correlationId: null, causationId: null,
});

test('an attempt is compared with the one before in the same direction', () => {
  const attempts = attemptsOf([
    event(1, 'StepStarted', { attempt: 1, input: { total: '1.00' } }),
    event(2, 'StepAttemptFailed', { error: 'answered 503' }),
    event(3, 'StepStarted', { attempt: 2 }),
    event(4, 'StepCompleted', { outcome: 'charged', data: { id: 7 } }),
    event(5, 'StepStarted', { attempt: 1, direction: 'undo' }),
  ]);
  const [first, second, undo] = attempts as [Attempt, Attempt, Attempt];
  expect(previousOf(second, attempts)).toBe(first);
  expect(previousOf(first, attempts)).toBeUndefined();
  expect(previousOf(undo, attempts)).toBeUndefined();
  expect(inputOf(second)).toBe(inputOf(first));
  expect(answerOf(first)).toBe('{\n  "error": "answered 503"\n}');
  expect(JSON.parse(answerOf(second))).toEqual({ outcome: 'charged', data: { id: 7 } });
  expect(answerOf(undo)).toBe('');
});
