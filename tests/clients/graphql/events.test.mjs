// graphql-sse, the client of GraphQL over server-sent events.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "graphql-sse";

import { CHANGES, followed, place, seesWhatWasWritten, url } from "./server.mjs";

function connect(t) {
  const client = createClient({ url, retryAttempts: 0 });
  t.after(() => client.dispose());
  return client;
}

test("an order is followed to its end", async (t) => {
  const client = connect(t);
  const { id } = await place();
  await followed(client.iterate({ query: CHANGES, variables: { id } }));
});

test("queries are answered, with what was just written", (t) => seesWhatWasWritten(connect(t)));

test("what is not valid is reported within the stream", async (t) => {
  const client = connect(t);
  const { value } = await client.iterate({ query: "subscription { nothing }" }).next();
  assert.match(value.errors[0].message, /nothing/);
});
