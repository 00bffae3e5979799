import type { Operation } from './batch';

/** What an order says about an operation, now and without effect. */
export interface Allowance {
  operation: string;
  step: string | null;
  allowed: boolean;
  reason: string | null;
}

export type Verdict = { kind: 'accepted' } | { kind: 'refused'; reason: string };

/** Whether the order would take the operation: on the step if there is one, else on the order or on any of its steps. */
export function verdict(allowances: readonly Allowance[], operation: Operation, step: string | undefined): Verdict {
  const about = allowances.filter((allowance) => allowance.operation === operation.toUpperCase());
  const wanted = step === undefined ? about : about.filter((allowance) => allowance.step === step);
  if (wanted.length === 0 || wanted.some((allowance) => allowance.allowed)) return { kind: 'accepted' };
  return { kind: 'refused', reason: wanted.find((allowance) => allowance.reason !== null)?.reason ?? '' };
}
