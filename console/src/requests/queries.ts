import { graphql, type ResultOf } from '../query/graphql';

export const requestsQuery = graphql(`
  query Requests($after: String) {
    operationRequests(first: 100, after: $after) {
      nodes {
        request { id operation step matches requestedBy reason approver requestedAt expiresAt own maySettle }
        order { id state total currency }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type Waiting = ResultOf<typeof requestsQuery>['operationRequests']['nodes'][number];

/** An operation that waits for a second person, and its order; null: it is for a batch. */
export type Request = Waiting['request'] & { order: Waiting['order'] };

export const requestsOfOrderQuery = graphql(`
  query RequestsOfOrder($id: ID!) {
    order(id: $id) {
      id state total currency
      requests { id operation step matches requestedBy reason approver requestedAt expiresAt own maySettle state }
    }
  }
`);

/** What can be done about a request. */
export type Verb = 'approve' | 'decline' | 'withdraw';
