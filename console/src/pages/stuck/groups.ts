/** Stuck, overdue and late orders by their cause, as the server groups them: what the page shows of a group. */

/** What happened, which decides what to propose. */
export type Kind = 'undo' | 'held' | 'unsent' | 'key' | 'other' | 'overdue' | 'late';

/** What an operator does to mend it, or to tell others about it. */
export type Repair = 'retry' | 'skip' | 'cancel' | 'note';

/** A group, as the server answers it. */
export interface Trouble {
  id: string;
  kind: 'STUCK' | 'OVERDUE' | 'LATE';
  workflow: string;
  version: number;
  step: string | null;
  participant: string | null;
  error: string | null;
  example: string | null;
  count: number;
  firstSeen: string;
  lastSeen: string;
}

export interface Group {
  /** The same for the same cause, in a link too. */
  id: string;
  workflow: { name: string; version: number };
  step: string | undefined;
  participant: string | undefined;
  /** The action that failed: of the step, or of its undo. */
  action: string | undefined;
  kind: Kind;
  /** The error, without what differs from order to order. */
  error: string;
  /** The reason of one order, as it is recorded. */
  sample: string;
  firstSeen: string;
  lastSeen: string;
  /** How many orders there are. */
  count: number;
}

/** A reason begins with the participant, the action, and what became of it. */
const BEGINNING = /^(\S+)\.(\S+) (?=failed|is held|was never)/;

export function groupOf(trouble: Trouble): Group {
  const sample = trouble.example ?? '';
  const named = BEGINNING.exec(sample);
  return {
    id: trouble.id,
    workflow: { name: trouble.workflow, version: trouble.version },
    step: trouble.step ?? undefined,
    participant: named?.[1] ?? trouble.participant ?? undefined,
    action: named?.[2],
    kind: trouble.kind === 'STUCK' ? kindOf(sample) : trouble.kind === 'LATE' ? 'late' : 'overdue',
    error: (trouble.error ?? '').replace(BEGINNING, '').replace(/^(failed for good|is held for an operator): /, ''),
    sample,
    firstSeen: trouble.firstSeen,
    lastSeen: trouble.lastSeen,
    count: trouble.count,
  };
}

/** Whether the orders wait for an operator. Others go on by themselves. */
export const isStuck = ({ kind }: Group) => kind !== 'overdue' && kind !== 'late';

function kindOf(reason: string): Kind {
  if (/ failed for good: /.test(reason)) return 'undo';
  if (/ never sent /.test(reason)) return 'unsent';
  if (/\bkey\b.*\bpersonal data\b|\bpersonal data\b.*\bkey\b/.test(reason)) return 'key';
  return / is held for an operator/.test(reason) ? 'held' : 'other';
}
