/** What an operator can do to an order, and when it makes sense. The server decides; this only saves vain attempts. */
import type { Order, Step } from './queries';

export type Action = 'cancel' | 'pause' | 'resume' | 'retry' | 'skip' | 'answer';

export const actions: Action[] = ['answer', 'retry', 'skip', 'pause', 'resume', 'cancel'];

/** The operation of the table of roles that each action needs. */
export const needs: Record<Action, string> = {
  cancel: 'cancelOrder',
  pause: 'operateOrder',
  resume: 'operateOrder',
  retry: 'operateOrder',
  skip: 'operateOrder',
  answer: 'answerStep',
};

const ENDED = ['COMPLETED', 'CANCELED'];

/** The steps that an action can name. */
export function stepsFor(action: Action, order: Order): Step[] {
  switch (action) {
    case 'retry':
      return order.steps.filter((step) => step.status === 'RETRYING' || step.status === 'STUCK');
    case 'skip':
      return order.steps.filter((step) => ['RUNNING', 'WAITING', 'RETRYING', 'COMPENSATING', 'STUCK'].includes(step.status));
    case 'answer':
      return order.steps.filter((step) => step.status === 'WAITING' && (step.mode === 'AWAIT' || step.mode === 'REQUEST'));
    case 'cancel':
    case 'pause':
    case 'resume':
      return [];
  }
}

/** Whether the state of the order allows an action. */
export function isAllowed(action: Action, order: Order): boolean {
  if (ENDED.includes(order.state)) return false;
  switch (action) {
    case 'cancel':
      return order.state !== 'COMPENSATING';
    case 'pause':
      return order.state !== 'PAUSED' && order.state !== 'STUCK';
    case 'resume':
      return order.state === 'PAUSED';
    case 'retry':
    case 'skip':
    case 'answer':
      return stepsFor(action, order).length > 0;
  }
}

/** The steps that a cancel would undo: the latest first. */
export function undoneBy(order: Order): string[] {
  const done = order.steps.filter((step) => step.status === 'COMPLETED' && step.participant && step.endedAt);
  return done.sort((a, b) => Date.parse(b.endedAt ?? '') - Date.parse(a.endedAt ?? '')).map((step) => step.id);
}
