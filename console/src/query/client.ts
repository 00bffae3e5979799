import type { ResultOf, VariablesOf } from './graphql';
import { textOf } from './graphql';
import { send } from './http';
import { Problem } from './problem';

/** An answer of GraphQL. */
export interface Answer {
  data?: unknown;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** The data of an answer; its first error is thrown. */
export function dataOf<Operation>(answer: Answer): ResultOf<Operation> {
  const error = answer.errors?.[0];
  if (error) throw new Problem('refused', error.message, { code: error.extensions?.code });
  return answer.data as ResultOf<Operation>;
}

/** The body of a request for this operation. */
export function requestFor(operation: unknown, variables: unknown): string {
  return JSON.stringify({ query: textOf(operation), variables });
}

/** Asks a query. */
export async function query<Operation>(
  operation: Operation,
  variables: VariablesOf<Operation>,
  signal?: AbortSignal,
): Promise<ResultOf<Operation>> {
  const response = await send('/graphql', {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: requestFor(operation, variables),
    ...(signal ? { signal } : {}),
  });
  return dataOf<Operation>((await response.json()) as Answer);
}
