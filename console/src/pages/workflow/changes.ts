/** Which steps changed from one definition to another. */
import { blockOf } from './lines';

/** A step, as far as its place in the graph. */
export interface DefinedStep {
  id: string;
  after: readonly string[];
  compensated: boolean;
}

/** A definition: its steps, and its text. */
export interface Definition {
  steps: readonly DefinedStep[];
  source: string;
}

export type Change = 'added' | 'removed' | 'changed';

/** The steps that changed. Comments and empty lines do not count. */
export function changesOf(left: Definition, right: Definition): Map<string, Change> {
  const [before, now] = [idsOf(left), idsOf(right)];
  const changes = new Map<string, Change>();
  for (const id of now) {
    if (!before.has(id)) changes.set(id, 'added');
    else if (blockOf(left.source, id) !== blockOf(right.source, id)) changes.set(id, 'changed');
  }
  for (const id of before) if (!now.has(id)) changes.set(id, 'removed');
  return changes;
}

/** The steps of both, for one graph: a removed one comes after those that it came after. */
export function stepsOfBoth(left: Definition, right: Definition): DefinedStep[] {
  const now = idsOf(right);
  return [...right.steps, ...left.steps.filter(({ id }) => !now.has(id))];
}

const idsOf = ({ steps }: Definition) => new Set(steps.map(({ id }) => id));
