// Reads of one stream.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { BACKWARDS, END, NO_STREAM, StreamNotFoundError } from "@kurrent/kurrentdb-client";

import { client, events, ids, link, refusal, revisions, stream, unique } from "./store.mjs";

const name = unique("read");
const added = events(10);
before(() => client.appendToStream(name, added, { streamState: NO_STREAM }));

test("forwards it is read in the order of its appends", async () => {
  assert.deepEqual(ids(await stream(name)), ids(added));
});

test("backwards the last comes first", async () => {
  assert.deepEqual(ids(await stream(name, { direction: BACKWARDS, fromRevision: END })), ids(added.toReversed()));
});

test("a read begins at the revision it names", async () => {
  assert.deepEqual(revisions(await stream(name, { fromRevision: 7n })), [7n, 8n, 9n]);
  assert.deepEqual(revisions(await stream(name, { fromRevision: 2n, direction: BACKWARDS })), [2n, 1n, 0n]);
});

test("a read ends at its limit", async () => {
  assert.deepEqual(revisions(await stream(name, { maxCount: 3 })), [0n, 1n, 2n]);
  assert.deepEqual(revisions(await stream(name, { maxCount: 2, direction: BACKWARDS, fromRevision: END })), [9n, 8n]);
});

test("beyond the end there is nothing", async () => {
  assert.deepEqual(await stream(name, { fromRevision: 10n }), []);
});

test("a stream that never was is not found", async () => {
  const missing = unique("read");
  await assert.rejects(stream(missing), refusal(StreamNotFoundError, { streamName: missing }));
});

test("a link is read as itself or as what it leads to", async () => {
  const links = unique("links");
  const here = link(name, 3);
  await client.appendToStream(links, here, { streamState: NO_STREAM });
  const [unresolved] = await stream(links);
  assert.deepEqual([unresolved.event.id, unresolved.event.type, unresolved.link], [here.id, "$>", undefined]);
  const [resolved] = await stream(links, { resolveLinkTos: true });
  assert.deepEqual([resolved.event.id, resolved.event.streamId, resolved.event.revision], [added[3].id, name, 3n]);
  assert.deepEqual([resolved.link.id, resolved.link.streamId, resolved.link.revision], [here.id, links, 0n]);
});
