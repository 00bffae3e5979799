// How a client finds the server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { KurrentDBClient, NO_STREAM } from "@kurrent/kurrentdb-client";

import { all, events, ids, unique } from "./store.mjs";

test("a client that has to discover the leader finds it", async (t) => {
  const several = process.env.TENUTO_EVENTSTORE.replace(/(?<=:\/\/(?:[^@/]*@)?)([^/?@]+)(?=[/?]|$)/, "$1,$1");
  const client = KurrentDBClient.connectionString(several);
  t.after(() => client.dispose());
  const name = unique("connect");
  const added = events(1);
  await client.appendToStream(name, added, { streamState: NO_STREAM });
  assert.deepEqual(ids(await all(client.readStream(name))), ids(added));
});
