// graphql-ws, the client of GraphQL over WebSocket.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { CHANGES, followed, place, seesWhatWasWritten, url } from "./server.mjs";

function connect(t, options = {}) {
  const client = createClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket, retryAttempts: 0, ...options });
  t.after(() => client.dispose());
  return client;
}

test("an order is followed to its end, and no further", async (t) => {
  const client = connect(t);
  const { id } = await place();
  const last = await followed(client.iterate({ query: CHANGES, variables: { id } }));
  const { value } = await client.iterate({ query: CHANGES, variables: { id, from: String(BigInt(last) - 1n) } }).next();
  assert.deepEqual(value.data.order, { id, state: "COMPLETED", position: last });
});

test("queries are answered, with what was just written", (t) => seesWhatWasWritten(connect(t)));

test("what is not valid is an error of its operation, and of no other", async (t) => {
  const client = connect(t);
  const wrong = client.iterate({ query: "subscription { nothing }" });
  await assert.rejects(wrong.next(), (errors) => Array.isArray(errors) && /nothing/.test(errors[0].message));
  const { value } = await client.iterate({ query: "{ __typename }" }).next();
  assert.deepEqual(value, { data: { __typename: "Query" } });
});

test("a client that asks whether the server is there is answered", async (t) => {
  const ponged = Promise.withResolvers?.() ?? {};
  if (!ponged.promise) ponged.promise = new Promise((resolve) => (ponged.resolve = resolve));
  const client = connect(t, { keepAlive: 20, lazy: false, on: { pong: (received) => received && ponged.resolve() } });
  await ponged.promise;
  await client.dispose();
});
