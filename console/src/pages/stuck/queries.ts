import { query } from '../../query/client';
import { graphql, type VariablesOf } from '../../query/graphql';
import { objectOf } from '../../query/json';
import { hash, type Group, type StuckOrder } from './groups';

const stuckQuery = graphql(`
  query Stuck($after: String) {
    orders(where: { state: [STUCK] }, orderBy: UPDATED_AT_DESC, first: 200, after: $after) {
      nodes { id status stuckReason updatedAt workflow { name version } steps { id status participant action lastError } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const stuckSubscription = graphql(`subscription StuckChanges { orders(where: { state: [STUCK] }) { id } }`);

/** The most stuck orders that are grouped. */
export const MAX_ORDERS = 1000;

export interface Found {
  orders: StuckOrder[];
  isTruncated: boolean;
}

/** The stuck orders, the latest first. */
export async function stuckOrders(signal: AbortSignal): Promise<Found> {
  const orders: StuckOrder[] = [];
  let after: string | null = null;
  for (;;) {
    const { nodes, pageInfo }: { nodes: StuckOrder[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } = (await query(stuckQuery, { after }, signal)).orders;
    orders.push(...nodes);
    if (!pageInfo.hasNextPage || orders.length >= MAX_ORDERS) return { orders, isTruncated: pageInfo.hasNextPage };
    after = pageInfo.endCursor;
  }
}

const lateQuery = graphql(`
  query Late {
    troubles { nodes { kind workflow version step participant error example count firstSeen lastSeen filter } }
  }
`);

const membersQuery = graphql(`
  query Members($where: OrderFilter) {
    orders(where: $where, orderBy: UPDATED_AT_DESC, first: 200) {
      nodes { id status stuckReason updatedAt workflow { name version } steps { id status participant action lastError } }
    }
  }
`);

/** The groups of orders whose work is due, and that no command handler has taken up. */
export async function lateGroups(signal: AbortSignal): Promise<Group[]> {
  const { nodes } = (await query(lateQuery, {}, signal)).troubles;
  return nodes
    .filter((node) => node.kind === 'LATE')
    .map((node) => ({
      key: `late-${hash([node.workflow, node.version, node.step, node.participant, node.error].join('\n'))}`,
      workflow: { name: node.workflow, version: node.version },
      step: node.step ?? undefined,
      participant: node.participant ?? undefined,
      action: undefined,
      kind: 'late' as const,
      error: node.error ?? '',
      sample: node.example ?? '',
      firstSeen: node.firstSeen,
      lastSeen: node.lastSeen,
      count: node.count,
      orders: [],
      where: objectOf(node.filter),
    }));
}

/** The latest orders that a filter selects. */
export async function members(where: NonNullable<Group['where']>, signal: AbortSignal): Promise<StuckOrder[]> {
  return (await query(membersQuery, { where: where as VariablesOf<typeof membersQuery>['where'] }, signal)).orders.nodes;
}
