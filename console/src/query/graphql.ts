/**
 * Typed GraphQL operations. The types come from the schema, while a program is checked; at run time
 * an operation is only its text.
 */
import type { FragmentOf, ResultOf, VariablesOf, initGraphQLTada } from 'gql.tada';
import type { introspection } from './schema';
import type { Json } from './json';

type Typed = ReturnType<
  typeof initGraphQLTada<{
    introspection: introspection;
    disableMasking: true;
    scalars: { DateTime: string; Decimal: string; ID: string; JSON: Json; Position: string };
  }>
>;

/** The text of an operation or a fragment, with those of the fragments that it spreads. */
interface Text {
  parts: string[];
}

function document(text: string, fragments: Text[] = []): Text {
  return { parts: [...new Set([text, ...fragments.flatMap((fragment) => fragment.parts)])] };
}

export const graphql = document as unknown as Typed;

export function textOf(operation: unknown): string {
  return (operation as Text).parts.join('\n');
}

export type { FragmentOf, ResultOf, VariablesOf };
