/** Stuck orders, grouped by their cause: workflow, step, participant and class of the error. */

import type { Json } from '../../query/json';

export interface StuckOrder {
  id: string;
  status: string;
  stuckReason: string | null;
  updatedAt: string;
  workflow: { name: string; version: number };
  steps: { id: string; status: string; participant: string | null; action: string | null; lastError: string | null }[];
}

/** What happened, which decides what to propose. */
export type Kind = 'undo' | 'held' | 'unsent' | 'key' | 'other' | 'late';

/** What an operator does to mend it. */
export type Repair = 'retry' | 'skip' | 'cancel';

export interface Group {
  /** The same for the same cause, in a link too. */
  key: string;
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
  /** The earliest, and the latest. */
  firstSeen: string;
  lastSeen: string;
  /** How many orders there are. */
  count: number;
  /** Those that are loaded, the latest first. */
  orders: StuckOrder[];
  /** The filter that selects them, if the server made the group. */
  where?: { [key: string]: Json };
}

/** The groups, the largest first. */
export function groupsOf(orders: readonly StuckOrder[]): Group[] {
  const groups = new Map<string, Group>();
  for (const order of orders) {
    const cause = causeOf(order);
    const { name, version } = order.workflow;
    const key = hash([name, version, cause.step, cause.participant, cause.kind, cause.error].join('\n'));
    const group = groups.get(key);
    if (group) {
      group.orders.push(order);
      group.count += 1;
      if (order.updatedAt < group.firstSeen) group.firstSeen = order.updatedAt;
      if (order.updatedAt > group.lastSeen) group.lastSeen = order.updatedAt;
    } else {
      const at = order.updatedAt;
      groups.set(key, { ...cause, key, workflow: order.workflow, sample: order.stuckReason ?? '', firstSeen: at, lastSeen: at, count: 1, orders: [order] });
    }
  }
  for (const group of groups.values()) group.orders.sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1));
  return [...groups.values()].sort((a, b) => b.count - a.count || (a.lastSeen < b.lastSeen ? 1 : -1));
}

function causeOf(order: StuckOrder): Pick<Group, 'step' | 'participant' | 'action' | 'kind' | 'error'> {
  const reason = order.stuckReason ?? '';
  const named = /^(\S+)\.(\S+) (?=failed|is held|was never)/.exec(reason);
  const [participant, action] = [named?.[1], named?.[2]];
  const stuck = order.steps.find((step) => step.status === 'STUCK');
  const held = order.steps.filter((step) => step.participant === participant && step.action === action);
  const step = stuck ?? held.find((step) => step.status === 'RETRYING') ?? held[0];
  const error = (named ? reason.slice(named[0].length) : reason).replace(/^(failed for good|is held for an operator): /, '');
  return { step: step?.id, participant: participant ?? step?.participant ?? undefined, action, kind: kindOf(reason), error: classOf(error, order.id) };
}

function kindOf(reason: string): Kind {
  if (/ failed for good: /.test(reason)) return 'undo';
  if (/ never sent /.test(reason)) return 'unsent';
  if (/\bkey\b.*\bpersonal data\b|\bpersonal data\b.*\bkey\b/.test(reason)) return 'key';
  return / is held for an operator/.test(reason) ? 'held' : 'other';
}

/** An error without what differs from order to order: its id, other ids, moments, quoted parts and numbers. */
export function classOf(error: string, orderId: string): string {
  const cut = error.length > 4000 ? error.slice(0, 4000) : error;
  return (orderId === '' ? cut : cut.replace(new RegExp(`(?<![\\w-])${escaped(orderId)}(?![\\w-])`, 'g'), '…'))
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '…')
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z)?/g, '…')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '…')
    .replace(/ ?\(attempt \d+[^)]*\)/g, '')
    .replace(/\b(?=\w*\d)(?=\w*[a-f])[0-9a-f]{8,}\b/gi, '…')
    .replace(/(?<!answered )\b\d[\d.,]*\b/g, '…')
    .trim();
}

/** A text as a pattern that matches only this text. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** A short name of a text, for links (FNV-1a). */
export function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const unit of new TextEncoder().encode(text)) value = BigInt.asUintN(64, (value ^ BigInt(unit)) * 0x100000001b3n);
  return value.toString(36);
}
