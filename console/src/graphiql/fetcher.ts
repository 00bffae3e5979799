/** How GraphiQL reaches this server: queries by POST, subscriptions as server-sent events. */
import type { Fetcher, FetcherOpts, FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, parse, type DocumentNode, type ExecutionResult } from 'graphql';
import { createClient } from 'graphql-sse';
import { storedToken } from '../app/token';

const ADDRESS = '/graphql';

export const fetcher: Fetcher = (given, options) => {
  const { params, isSubscription } = read(given);
  return isSubscription ? subscribe(params, options) : ask(params, options);
};

/**
 * The request as it is to be sent. Just after the text has changed, GraphiQL may still name an
 * operation of the former text.
 */
function read({ operationName, ...rest }: FetcherParams): { params: FetcherParams; isSubscription: boolean } {
  const named: FetcherParams = { ...rest, ...(operationName ? { operationName } : {}) };
  let document: DocumentNode;
  try {
    document = parse(rest.query);
  } catch {
    // The server says what is wrong.
    return { params: named, isSubscription: false };
  }
  const params: FetcherParams = getOperationAST(document, operationName) ? named : rest;
  return { params, isSubscription: getOperationAST(document, params.operationName)?.operation === 'subscription' };
}

async function ask(params: FetcherParams, options: FetcherOpts | undefined): Promise<ExecutionResult | string> {
  const accepted = { accept: 'application/graphql-response+json', 'content-type': 'application/json' };
  const response = await fetch(ADDRESS, {
    method: 'POST',
    headers: { ...accepted, ...credentials(options) },
    body: JSON.stringify(params),
    redirect: 'error',
  });
  // A refusal is shown as it is: it says what is wrong.
  const text = await response.text();
  try {
    return JSON.parse(text) as ExecutionResult;
  } catch {
    return `${response.status} ${text}`;
  }
}

function subscribe({ query, operationName, variables }: FetcherParams, options: FetcherOpts | undefined) {
  const client = createClient({ url: ADDRESS, headers: () => credentials(options), retryAttempts: 0 });
  return client.iterate({
    query,
    ...(operationName ? { operationName } : {}),
    variables: variables as Record<string, unknown>,
  }) as AsyncIterableIterator<ExecutionResult>;
}

/** The token of this tab; headers that were typed count before it. */
function credentials(options: FetcherOpts | undefined): Record<string, string> {
  const typed = Object.entries(options?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  const token = storedToken.get();
  return { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...Object.fromEntries(typed) };
}
