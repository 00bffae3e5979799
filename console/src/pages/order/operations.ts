/** What can be done to an order now: the rules are the decider's, and the server has applied them. */
import type { Allowance, Order } from './queries';

export type Action = 'cancel' | 'pause' | 'resume' | 'retry' | 'skip' | 'answer' | 'note';

export const actions: Action[] = ['answer', 'retry', 'skip', 'pause', 'resume', 'note', 'cancel'];

function allowed(action: Action, allowances: readonly Allowance[]): Allowance[] {
  return allowances.filter((allowance) => allowance.allowed && allowance.operation === action.toUpperCase());
}

/** Whether the order takes an action, for itself or for one of its steps. */
export function isAllowed(action: Action, allowances: readonly Allowance[]): boolean {
  return allowed(action, allowances).length > 0;
}

/** Whether a second person has to approve an action. */
export function needsSecondPerson(action: Action, allowances: readonly Allowance[]): boolean {
  return allowed(action, allowances).some((allowance) => allowance.needsSecondPerson);
}

/** The steps that an action can name. */
export function stepsFor(action: Action, allowances: readonly Allowance[]): string[] {
  return allowed(action, allowances).flatMap(({ step }) => (step === null ? [] : [step]));
}

/** The steps that a cancel would undo: the latest first. */
export function undoneBy(order: Order): string[] {
  const done = order.steps.filter((step) => step.status === 'COMPLETED' && step.participant && step.endedAt);
  return done.sort((a, b) => Date.parse(b.endedAt ?? '') - Date.parse(a.endedAt ?? '')).map((step) => step.id);
}
