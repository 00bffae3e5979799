import { query } from '../../query/client';
import { graphql, type ResultOf } from '../../query/graphql';
import { groupOf, isStuck, type Group } from './groups';

export const stuckSubscription = graphql(`subscription StuckChanges { orders(where: { state: [STUCK] }) { id } }`);

const groupsQuery = graphql(`
  query Causes {
    troubles { truncated nodes { id kind workflow version step participant error example count firstSeen lastSeen } }
  }
`);

export interface Found {
  groups: Group[];
  /** Whether there is more than the server counts. */
  isTruncated: boolean;
}

/** The groups, the largest first; those that wait for an operator before the others. */
export async function groups(signal: AbortSignal): Promise<Found> {
  const { nodes, truncated } = (await query(groupsQuery, {}, signal)).troubles;
  const all = nodes.map(groupOf);
  return { groups: [...all.filter(isStuck), ...all.filter((group) => !isStuck(group))], isTruncated: truncated };
}

const ordersQuery = graphql(`
  query OrdersOfCause($id: ID!) {
    troubles(id: $id) { nodes {
      orders(first: 200) { id status stuckReason updatedAt expectedAt }
      notes { text actor recordedAt count orderId }
    } }
  }
`);

/** The first orders of a group, at most 200, and its latest notes. */
export type Details = ResultOf<typeof ordersQuery>['troubles']['nodes'][number];

/** Nothing, if the group has resolved itself. */
export async function detailsOf(id: string, signal: AbortSignal): Promise<Details> {
  return (await query(ordersQuery, { id }, signal)).troubles.nodes[0] ?? { orders: [], notes: [] };
}

const idsQuery = graphql(`query IdsOfCause($id: ID!) { troubles(id: $id) { nodes { orderIds } } }`);

/** All orders of a group. */
export async function allIds(id: string, signal: AbortSignal): Promise<string[]> {
  return (await query(idsQuery, { id }, signal)).troubles.nodes[0]?.orderIds ?? [];
}
