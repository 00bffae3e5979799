import { graphql, type ResultOf } from '../../query/graphql';

export const approvalsQuery = graphql(`
  query Approvals($after: String) {
    approvals(first: 100, after: $after) {
      nodes {
        step asks since until outcomes withoutAnswer
        order { id status state total currency placedAt customer { id } workflow { name version } lines { quantity sku } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const approvalsSubscription = graphql(`subscription ApprovalChanges { orders(where: { step: { status: [WAITING] } }) { id } }`);

export type Approval = ResultOf<typeof approvalsQuery>['approvals']['nodes'][number];
