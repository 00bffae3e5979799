// Deletes: soft, after which a stream may begin again, and for good.

import assert from "node:assert/strict";
import { once } from "node:events";
import { beforeEach, test } from "node:test";

import { ANY, NO_STREAM, StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError } from "@kurrent/kurrentdb-client";

import { client, events, ids, refusal, revisions, stream, unique } from "./store.mjs";

let name;
let added;
beforeEach(async () => {
  name = unique("delete");
  added = events(3);
  await client.appendToStream(name, added, { streamState: NO_STREAM });
});

test("a deleted stream is not found and begins again where it ended", async () => {
  const { position } = await client.deleteStream(name, { expectedRevision: 2n });
  assert.ok(position.commit > 0n);
  await assert.rejects(stream(name), refusal(StreamNotFoundError, { streamName: name }));
  const again = events(2);
  const { nextExpectedRevision } = await client.appendToStream(name, again, { streamState: NO_STREAM });
  assert.equal(nextExpectedRevision, 4n);
  const read = await stream(name);
  assert.deepEqual(ids(read), ids(again));
  assert.deepEqual(revisions(read), [3n, 4n]);
});

for (const way of ["deleteStream", "tombstoneStream"]) {
  test(`${way}: an expectation that does not hold is refused with what is there`, async () => {
    await assert.rejects(
      client[way](name, { expectedRevision: 1n }),
      refusal(WrongExpectedVersionError, { streamName: name, expectedState: 1n, actualState: 2n }),
    );
    assert.deepEqual(ids(await stream(name)), ids(added));
  });
}

test("a tombstone is for good", async () => {
  const { position } = await client.tombstoneStream(name, { expectedRevision: 2n });
  assert.ok(position.commit > 0n);
  const deleted = refusal(StreamDeletedError, { streamName: name });
  const credentials = { username: "admin", password: "changeit" };
  await assert.rejects(stream(name), deleted);
  await assert.rejects(client.appendToStream(name, events(1)), deleted);
  await assert.rejects(client.appendToStream(name, events(1), { credentials }), deleted);
  await assert.rejects(client.deleteStream(name, { expectedRevision: ANY }), deleted);
  await assert.rejects(client.tombstoneStream(name, { expectedRevision: ANY }), deleted);
  const [error] = await once(client.subscribeToStream(name), "error");
  deleted(error);
});
