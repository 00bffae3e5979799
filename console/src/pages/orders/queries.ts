import { graphql, type ResultOf, type VariablesOf } from '../../query/graphql';

const rowFields = graphql(`
  fragment RowFields on Order {
    id state status currency total placedAt updatedAt endedAt placedBy stuckReason parked position
    customer { id }
    workflow { name version }
    lines @include(if: $withLines) { sku quantity }
    steps @include(if: $withSteps) { id status }
  }
`);

export const ordersQuery = graphql(
  `
    query Orders($where: OrderFilter, $orderBy: OrderSort, $first: Int, $after: String, $last: Int, $before: String, $withLines: Boolean!, $withSteps: Boolean!) {
      orders(where: $where, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        nodes { ...RowFields }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  `,
  [rowFields],
);

/** Whether a text is the id of an order, of a customer, or an SKU. */
export const findQuery = graphql(`
  query Find($text: ID!, $customer: [ID!]!, $sku: [String!]!) {
    order(id: $text) { id }
    ofCustomer: orders(where: { customer: $customer }, first: 1) { nodes { id } }
    withSku: orders(where: { sku: $sku }, first: 1) { nodes { id } }
  }
`);

/** That an order that matches has changed. */
export const listChanges = graphql(`
  subscription ListChanges($where: OrderFilter) {
    orders(where: $where) { position }
  }
`);

export type Page = ResultOf<typeof ordersQuery>['orders'];
export type Row = Page['nodes'][number];
export type Where = NonNullable<VariablesOf<typeof ordersQuery>['where']>;
export type Sort = NonNullable<VariablesOf<typeof ordersQuery>['orderBy']>;
