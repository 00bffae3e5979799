import { graphql, type ResultOf } from '../../query/graphql';

export const overviewQuery = graphql(`
  query Overview($from: DateTime!, $to: DateTime!) {
    overview {
      orders stuck late parked lastEventAt
      byStatus { status count }
      byState { state count }
      lag { seconds }
    }
    ordersByHour(from: $from, to: $to) { hour state count }
  }
`);

/** How orders ended: by workflow since one moment, and by hour since another. */
export const endsQuery = graphql(`
  query Ends($since: DateTime!, $hours: DateTime!, $to: DateTime!) {
    since: ends(from: $since, to: $to) { truncated byWorkflow { workflow count canceled p50Seconds p95Seconds } }
    hours: ends(from: $hours, to: $to) { byHour { hour state count } }
  }
`);

/** How many orders stood where at a moment. */
export const countsQuery = graphql(`
  query Counts($asOf: DateTime!) {
    counts(asOf: $asOf) { orders unknown byState { state count } byStatus { status count } }
  }
`);

/** That an order changed. */
export const anyChange = graphql(`
  subscription AnyChange {
    orders { position }
  }
`);

export type Answer = ResultOf<typeof overviewQuery>;
export type Ends = ResultOf<typeof endsQuery>;
export type PastCounts = ResultOf<typeof countsQuery>['counts'];
