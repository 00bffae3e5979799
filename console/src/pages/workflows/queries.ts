import { graphql, type ResultOf } from '../../query/graphql';

export const workflowsQuery = graphql(`
  query Workflows {
    workflows { truncated nodes { name versions { version registeredAt orders { open ended byState { state count } } } } }
  }
`);

export type Registered = ResultOf<typeof workflowsQuery>['workflows']['nodes'][number];
