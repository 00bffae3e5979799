import { query } from '../../query/client';
import { graphql } from '../../query/graphql';
import type { StuckOrder } from './groups';

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
