// What a stream says about itself, and what the server makes of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BACKWARDS, END, NO_STREAM, WrongExpectedVersionError } from "@kurrent/kurrentdb-client";

import { client, events, ids, refusal, stream, unique } from "./store.mjs";

test("it is read as it was set", async () => {
  const name = unique("metadata");
  assert.equal((await client.getStreamMetadata(name)).metadata, undefined);
  const metadata = {
    maxCount: 5,
    maxAge: 60,
    truncateBefore: 1,
    cacheControl: 3,
    acl: { readRoles: ["$all"], writeRoles: ["a", "b"] },
    owner: "shipping",
  };
  const { nextExpectedRevision } = await client.setStreamMetadata(name, metadata, { streamState: NO_STREAM });
  assert.equal(nextExpectedRevision, 0n);
  assert.deepEqual((await client.getStreamMetadata(name)).metadata, metadata);
  await client.setStreamMetadata(name, { owner: "orders" }, { streamState: 0n });
  assert.deepEqual((await client.getStreamMetadata(name)).metadata, { owner: "orders" });
  await assert.rejects(
    client.setStreamMetadata(name, {}, { streamState: NO_STREAM }),
    refusal(WrongExpectedVersionError, { streamName: `$$${name}`, expectedState: NO_STREAM, actualState: 1n }),
  );
});

test("no more events are shown than it allows", async () => {
  const name = unique("metadata");
  const added = events(5);
  await client.appendToStream(name, added);
  await client.setStreamMetadata(name, { maxCount: 2 });
  assert.deepEqual(ids(await stream(name)), ids(added.slice(3)));
  const backwards = await stream(name, { direction: BACKWARDS, fromRevision: END });
  assert.deepEqual(ids(backwards), ids(added.slice(3).toReversed()));
});

test("what is before its truncation is not shown", async () => {
  const name = unique("metadata");
  const added = events(5);
  await client.appendToStream(name, added);
  await client.setStreamMetadata(name, { truncateBefore: 4 });
  assert.deepEqual(ids(await stream(name)), [added[4].id]);
});
