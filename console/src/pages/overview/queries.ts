import { graphql, type ResultOf } from '../../query/graphql';

export const overviewQuery = graphql(`
  query Overview($from: DateTime!, $to: DateTime!) {
    overview {
      orders stuck parked lastEventAt
      byStatus { status count }
      byState { state count }
      lag { seconds }
    }
    ordersByHour(from: $from, to: $to) { hour state count }
  }
`);

/** That an order changed. */
export const anyChange = graphql(`
  subscription AnyChange {
    orders { position }
  }
`);

export type Answer = ResultOf<typeof overviewQuery>;
