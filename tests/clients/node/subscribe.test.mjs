// Subscriptions: first what is there, then what comes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { END, NO_STREAM, StreamDeletedError, eventTypeFilter, streamNameFilter } from "@kurrent/kurrentdb-client";

import { client, event, events, ids, link, refusal, revisions, take, unique, using } from "./store.mjs";

test("a stream is sent from its start and then as it grows", async () => {
  const name = unique("subscribe");
  const added = events(5);
  await client.appendToStream(name, added.slice(0, 3), { streamState: NO_STREAM });
  await using(client.subscribeToStream(name), async (subscription) => {
    const caughtUp = once(subscription, "caughtUp");
    assert.deepEqual(ids(await take(subscription, 3)), ids(added.slice(0, 3)));
    await caughtUp;
    assert.ok(subscription.id);
    await client.appendToStream(name, added.slice(3), { streamState: 2n });
    const live = await take(subscription, 2);
    assert.deepEqual(ids(live), ids(added.slice(3)));
    assert.deepEqual(revisions(live), [3n, 4n]);
  });
});

test("a stream is waited for", async () => {
  const name = unique("subscribe");
  await using(client.subscribeToStream(name), async (subscription) => {
    await once(subscription, "caughtUp");
    const added = events(1);
    await client.appendToStream(name, added, { streamState: NO_STREAM });
    assert.deepEqual(ids(await take(subscription, 1)), ids(added));
  });
});

test("a revision is what the subscriber has already", async () => {
  const name = unique("subscribe");
  const added = events(4);
  await client.appendToStream(name, added);
  await using(client.subscribeToStream(name, { fromRevision: 1n }), async (subscription) => {
    assert.deepEqual(ids(await take(subscription, 2)), ids(added.slice(2)));
  });
});

test("from the end only what comes is sent", async () => {
  const name = unique("subscribe");
  const added = events(2);
  await client.appendToStream(name, added[0]);
  await using(client.subscribeToStream(name, { fromRevision: END }), async (subscription) => {
    await once(subscription, "caughtUp");
    await client.appendToStream(name, added[1]);
    assert.deepEqual(ids(await take(subscription, 1)), [added[1].id]);
  });
});

test("links are followed as they come", async () => {
  const [name, links] = [unique("subscribe"), unique("links")];
  const added = events(1);
  await client.appendToStream(name, added);
  await using(client.subscribeToStream(links, { resolveLinkTos: true }), async (subscription) => {
    await client.appendToStream(links, link(name, 0));
    const [resolved] = await take(subscription, 1);
    assert.deepEqual([resolved.event.id, resolved.link.streamId], [added[0].id, links]);
  });
});

test("a tombstone ends the subscription that meets it", async () => {
  const name = unique("subscribe");
  await client.appendToStream(name, events(1));
  const subscription = client.subscribeToStream(name, { fromRevision: END });
  await once(subscription, "caughtUp");
  const failed = once(subscription, "error");
  await client.tombstoneStream(name);
  const [error] = await failed;
  refusal(StreamDeletedError, { streamName: name })(error);
});

test("$all is sent from a position through a filter of streams", async () => {
  const kind = unique("subscribe");
  const ours = `${kind}-1`;
  const added = events(4);
  const { position: fromPosition } = await client.appendToStream(ours, added[0]);
  await client.appendToStream(ours, added.slice(1, 3));
  const filter = streamNameFilter({ prefixes: [kind] });
  await using(client.subscribeToAll({ fromPosition, filter }), async (subscription) => {
    const caughtUp = once(subscription, "caughtUp");
    assert.deepEqual(ids(await take(subscription, 2)), ids(added.slice(1, 3)));
    await caughtUp;
    await client.appendToStream(unique("other"), events(1));
    await client.appendToStream(ours, added[3]);
    assert.deepEqual(ids(await take(subscription, 1)), [added[3].id]);
  });
});

test("$all is sent through a filter of types", async () => {
  const [name, kind] = [unique("subscribe"), unique("Type")];
  const added = [event(`${kind}.A`), event(`${kind}.B`), event(`${kind}.A`)];
  await client.appendToStream(name, added.slice(0, 2));
  await using(client.subscribeToAll({ filter: eventTypeFilter({ regex: `^${kind}\\.A$` }) }), async (subscription) => {
    assert.deepEqual(ids(await take(subscription, 1)), [added[0].id]);
    await client.appendToStream(name, added[2]);
    assert.deepEqual(ids(await take(subscription, 1)), [added[2].id]);
  });
});

test("a checkpoint says how far a filter has been", async () => {
  const name = unique("subscribe");
  const { position: before } = await client.appendToStream(name, events(1));
  const { position: last } = await client.appendToStream(name, events(20));
  const passed = [];
  await new Promise((resolve, reject) => {
    const checkpointReached = async (subscription, { commit }) => {
      passed.push(commit);
      if (commit >= last.commit) await subscription.unsubscribe().then(resolve);
    };
    const filter = eventTypeFilter({
      prefixes: [unique("NoSuchType")],
      maxSearchWindow: 1,
      checkpointInterval: 1,
      checkpointReached,
    });
    client.subscribeToAll({ fromPosition: before, filter }).on("error", reject).resume();
  });
  assert.ok(passed[0] > before.commit, `${passed}`);
  assert.ok(passed.every((commit, number) => number === 0 || commit > passed[number - 1]), `${passed}`);
});
