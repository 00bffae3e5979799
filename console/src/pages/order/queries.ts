import { graphql, type ResultOf } from '../../query/graphql';

const orderFields = graphql(`
  fragment OrderFields on Order {
    id status state stuckReason parked placedAt updatedAt endedAt expectedAt late revision position currency total placedBy
    customer { id keyMissing erasedAt }
    lines { sku name quantity unitPrice }
    attributes result resultError
    steps { id participant action mode status outcome attempts lastError startedAt endedAt expectedAt nextAttemptAt }
  }
`);

const eventFields = graphql(`
  fragment EventFields on TimelineEntry {
    revision type recordedAt summary step actor approvedBy reason data hash correlationId causationId
  }
`);

/** An order with the events after another, or with its latest ones. */
export const orderQuery = graphql(
  `
    query Order($id: ID!, $first: Int, $after: String, $last: Int) {
      order(id: $id) {
        ...OrderFields
        workflow { name version steps { id participant action mode after compensated } }
        timeline(first: $first, after: $after, last: $last) {
          nodes { ...EventFields }
          pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
        }
      }
    }
  `,
  [orderFields, eventFields],
);

/** The events of an order before another. */
export const earlierQuery = graphql(
  `
    query EarlierEvents($id: ID!, $last: Int!, $before: String) {
      order(id: $id) {
        timeline(last: $last, before: $before) { nodes { ...EventFields } pageInfo { hasPreviousPage startCursor } }
      }
    }
  `,
  [eventFields],
);

/** What can be done to an order now. It is read from the log, so it is asked for once the rest is there. */
export const operationsQuery = graphql(`
  query OperationsOnOrder($id: ID!) {
    order(id: $id) { operations { operation step allowed needsSecondPerson } }
  }
`);

/** An order as it was after an event. */
export const pastQuery = graphql(
  `
    query OrderAt($id: ID!, $revision: Int!) {
      order(id: $id, atRevision: $revision) { ...OrderFields }
    }
  `,
  [orderFields],
);

export const parkedQuery = graphql(`
  query ParkedEventsOfOrder($id: ID!) {
    parkedEvents(order: $id) { stream revision type reason recordedAt }
  }
`);

export const personalQuery = graphql(`
  query PersonalDataOfOrder($id: ID!) {
    order(id: $id) {
      customer { name email keyMissing erasedAt }
      shipTo { name street city region postalCode country }
    }
  }
`);

/** That an order changed. What changed is read with the query. */
export const orderChanges = graphql(`
  subscription OrderChanges($id: ID!, $from: Position) {
    order(id: $id, from: $from) { position revision }
  }
`);

type Answer = NonNullable<ResultOf<typeof orderQuery>['order']>;
export type Order = Omit<Answer, 'workflow' | 'timeline'>;
export type Workflow = Answer['workflow'];
export type Step = Order['steps'][number];
export type Allowance = NonNullable<NonNullable<ResultOf<typeof operationsQuery>['order']>['operations']>[number];
export type OrderEvent = Answer['timeline']['nodes'][number];
