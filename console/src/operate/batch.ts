/** One instruction for many orders: `POST /orders/batch`, read line by line. */
import type { Json } from '../query/json';
import { postForLines } from '../query/http';
import { Problem } from '../query/problem';

export type Operation = 'cancel' | 'note' | 'pause' | 'resume' | 'retry' | 'skip';

/** What is done to each order. */
export interface Instruction {
  operation: Operation;
  reason: string;
  actor?: string;
  step?: string;
  outcome?: string;
}

/** Which orders: named ones, or those that match a filter (the fields of GraphQL's `OrderFilter`). */
export type Selection = { orders: string[] } | { where: { [key: string]: Json } };

/** The result for one order. */
export interface Result {
  orderId: string;
  isDone: boolean;
  /** Why it was refused. */
  detail?: string;
  state?: string;
  /** The request, if a second person has to approve it for this order. */
  request?: string;
}

export type Report =
  | { kind: 'beginning'; matches: number }
  | { kind: 'result'; result: Result }
  /** A second person has to approve it for all of them. */
  | { kind: 'asked'; request: string; matches: number };

/** The orders that an instruction would reach, and whether a second person would have to approve it. */
export interface Counted {
  matches: number;
  needsApproval: boolean;
}

/** The most orders that one request may name. */
const MAX_NAMED = 500;
const PATH = '/orders/batch';

/** How many orders are selected now. */
export async function count(instruction: Omit<Instruction, 'reason'>, selection: Selection, signal: AbortSignal): Promise<Counted> {
  const named = 'orders' in selection ? { orders: selection.orders.slice(0, MAX_NAMED) } : selection;
  // To count, a skip names any step.
  const step = instruction.operation === 'skip' ? { step: instruction.step ?? 'any' } : {};
  const body = { operation: instruction.operation, ...step, ...named, reason: 'preview', dryRun: true };
  for await (const line of postForLines(PATH, body, signal)) {
    const matches = 'orders' in selection ? selection.orders.length : line['matches'];
    if (typeof matches === 'number') return { matches, needsApproval: line['needsApproval'] === true };
  }
  return { matches: 0, needsApproval: false };
}

/**
 * Gives the instruction to each order, and reports each result. It goes on after the order `after`,
 * if a former run was interrupted there.
 */
export async function* run(
  instruction: Instruction,
  selection: Selection,
  signal: AbortSignal,
  resume: { after?: string | undefined; before?: string | undefined } = {},
): AsyncGenerator<Report & { before?: string }> {
  for (const body of bodies(instruction, selection, resume)) {
    let hasEnded = false;
    for await (const line of postForLines(PATH, body, signal)) {
      if (typeof line['request'] === 'string' && typeof line['matches'] === 'number') {
        yield { kind: 'asked', request: line['request'], matches: line['matches'] };
        hasEnded = true;
      } else if (typeof line['matches'] === 'number') yield { kind: 'beginning', matches: line['matches'], before: String(line['before'] ?? '') };
      else if (line['done'] === true) hasEnded = true;
      else if (typeof line['stopped'] === 'string') throw new Problem('server', line['stopped']);
      else if (typeof line['orderId'] === 'string') yield { kind: 'result', result: resultOf(line) };
    }
    if (!hasEnded) throw new Problem('network', INTERRUPTED);
  }
}

const INTERRUPTED = 'The connection ended before the last order was reported.';

function bodies(instruction: Instruction, selection: Selection, resume: { after?: string | undefined; before?: string | undefined }): object[] {
  if ('orders' in selection) {
    const rest = resume.after === undefined ? selection.orders : selection.orders.slice(selection.orders.indexOf(resume.after) + 1);
    const parts = Array.from({ length: Math.ceil(rest.length / MAX_NAMED) }, (_, index) => rest.slice(index * MAX_NAMED, (index + 1) * MAX_NAMED));
    return parts.map((orders) => ({ ...instruction, orders }));
  }
  if (resume.after === undefined) return [{ ...instruction, ...selection }];
  const placed = selection.where['placedAt'];
  const placedAt = { ...(placed && typeof placed === 'object' ? placed : {}), ...(resume.before ? { to: resume.before } : {}) };
  return [{ ...instruction, where: { ...selection.where, placedAt }, after: resume.after }];
}

export function resultOf(line: Record<string, unknown>): Result {
  const isDone = typeof line['status'] === 'number' && line['status'] < 300;
  const result: Result = { orderId: String(line['orderId']), isDone };
  if (typeof line['detail'] === 'string') result.detail = line['detail'];
  if (typeof line['request'] === 'string') result.request = line['request'];
  else if (typeof line['state'] === 'string') result.state = line['state'];
  return result;
}
