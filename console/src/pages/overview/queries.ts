import { graphql } from '../../query/graphql';

export const overviewQuery = graphql(`
  query Overview {
    overview { orders stuck parked byStatus { status count } byState { state count } lag { seconds logPosition } lastEventAt position }
  }
`);
