import { graphql, type ResultOf } from '../../query/graphql';

export const workflowQuery = graphql(`
  query Workflow($name: String!, $version: Int) {
    workflow(name: $name, version: $version) {
      name version source registeredAt
      steps { id participant action mode after compensated }
    }
    workflows { nodes { name versions { version registeredAt orders { open ended byState { state count } } } } }
  }
`);

export const definitionQuery = graphql(`
  query Definition($name: String!, $version: Int) { workflow(name: $name, version: $version) { source steps { id after compensated } } }
`);

export const sourceQuery = graphql(`query WorkflowSource($name: String!, $version: Int) { workflow(name: $name, version: $version) { source } }`);

export type Workflow = NonNullable<ResultOf<typeof workflowQuery>['workflow']>;
export type Version = ResultOf<typeof workflowQuery>['workflows']['nodes'][number]['versions'][number];
