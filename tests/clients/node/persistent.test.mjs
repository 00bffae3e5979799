// Persistent subscriptions: groups of consumers that the server remembers.

import assert from "node:assert/strict";
import { once } from "node:events";
import { beforeEach, test } from "node:test";

import {
  PARK,
  PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionDroppedError,
  PersistentSubscriptionExistsError,
  PersistentSubscriptionMaximumSubscribersReachedError,
  RETRY,
  ROUND_ROBIN,
  SKIP,
  START,
  persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults,
  streamNameFilter,
} from "@kurrent/kurrentdb-client";

import { client, events, ids, link, refusal, stream, take, unique, using } from "./store.mjs";

let name;
let group;
beforeEach(() => {
  name = unique("persistent");
  group = unique("group");
});

const create = (settings = {}) =>
  client.createPersistentSubscriptionToStream(
    name,
    group,
    persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...settings }),
  );

const consume = (use) => using(client.subscribeToPersistentSubscriptionToStream(name, group), use);

const info = () => client.getPersistentSubscriptionToStreamInfo(name, group);

async function fill(count) {
  const added = events(count);
  await client.appendToStream(name, added);
  return added;
}

// Acknowledgements are not answered: the group is asked until it has received them.
async function until(holds) {
  for (;;) {
    const now = await info();
    if (holds(now.stats)) return now;
  }
}

const settled = (stats) => stats.totalInFlightMessages === 0 && stats.outstandingMessagesCount === 0;

test("a group is sent what is there and what comes", async () => {
  const before = await fill(3);
  await create();
  await consume(async (consumer) => {
    const first = await take(consumer, 3);
    assert.deepEqual(ids(first), ids(before));
    assert.deepEqual(first.map((one) => one.retryCount), [0, 0, 0]);
    assert.ok(consumer.id);
    await consumer.ack(...first);
    const after = await fill(1);
    const live = await take(consumer, 1);
    assert.deepEqual(ids(live), ids(after));
    await consumer.ack(...live);
  });
});

test("a group that is to keep statistics measures how long its consumers take", async () => {
  await fill(5);
  await create({ extraStatistics: true });
  await consume(async (consumer) => {
    await consumer.ack(...(await take(consumer, 5)));
    const { stats, connections } = await until(settled);
    assert.equal(stats.totalItems, 5n);
    const [connection] = connections;
    assert.equal(connection.totalItems, 5n);
    const times = connection.extraStatistics;
    assert.ok(times.get("fastest") <= times.get("median") && times.get("median") <= times.get("highest"), times);
  });
});

test("a group begins where it was told", async () => {
  const added = await fill(4);
  await create({ startFrom: 2n });
  await consume(async (consumer) => assert.deepEqual(ids(await take(consumer, 2)), ids(added.slice(2))));
});

test("what was acknowledged does not come again", async () => {
  const added = await fill(3);
  await create({ checkPointLowerBound: 1, checkPointUpperBound: 1 });
  await consume(async (consumer) => {
    await consumer.ack(...(await take(consumer, 2)));
    await until((stats) => stats.totalInFlightMessages === 1);
  });
  await consume(async (consumer) => assert.deepEqual(ids(await take(consumer, 1)), [added[2].id]));
});

test("what is to be tried again comes again and says so", async () => {
  const added = await fill(1);
  await create();
  await consume(async (consumer) => {
    for (const attempt of [0, 1, 2]) {
      const [one] = await take(consumer, 1);
      assert.deepEqual([one.event.id, one.retryCount], [added[0].id, attempt]);
      await consumer.nack(RETRY, "not yet", one);
    }
    await consumer.ack(...(await take(consumer, 1)));
  });
});

test("what is skipped does not come again", async () => {
  const added = await fill(2);
  await create();
  await consume(async (consumer) => {
    const both = await take(consumer, 2);
    await consumer.nack(SKIP, "not wanted", both[0]);
    await consumer.ack(both[1]);
    const { stats } = await until(settled);
    assert.deepEqual([ids(both), stats.parkedMessageCount], [ids(added), 0n]);
    const after = await fill(1);
    assert.deepEqual(ids(await take(consumer, 1)), ids(after));
  });
});

test("what is parked waits until it is replayed", async () => {
  const added = await fill(3);
  await create();
  await consume(async (consumer) => {
    const [first, second, third] = await take(consumer, 3);
    await consumer.nack(PARK, "cannot", second);
    await consumer.ack(first, third);
    await until((stats) => settled(stats) && stats.parkedMessageCount === 1n);
    const parked = await stream(`$persistentsubscription-${name}::${group}-parked`, { resolveLinkTos: true });
    assert.deepEqual(ids(parked), [added[1].id]);
    assert.match(parked[0].link.metadata.reason, /cannot/);
    await client.replayParkedMessagesToStream(name, group);
    const [replayed] = await take(consumer, 1);
    assert.equal(replayed.event.id, added[1].id);
    await consumer.ack(replayed);
    await until((stats) => settled(stats) && stats.parkedMessageCount === 0n);
  });
});

test("as many as are asked for are replayed", async () => {
  const added = await fill(3);
  await create();
  await consume(async (consumer) => {
    await consumer.nack(PARK, "cannot", ...(await take(consumer, 3)));
    await until((stats) => stats.parkedMessageCount === 3n);
    await client.replayParkedMessagesToStream(name, group, { stopAt: 2 });
    const replayed = await take(consumer, 2);
    assert.deepEqual(ids(replayed), ids(added.slice(0, 2)));
    await consumer.ack(...replayed);
    await until((stats) => settled(stats) && stats.parkedMessageCount === 1n);
  });
});

test("links are followed and acknowledged as links", async () => {
  const target = unique("target");
  const added = events(1);
  await client.appendToStream(target, added);
  await client.appendToStream(name, link(target, 0));
  await create({ resolveLinkTos: true });
  await consume(async (consumer) => {
    const [one] = await take(consumer, 1);
    assert.deepEqual([one.event.id, one.link.streamId], [added[0].id, name]);
    await consumer.ack(one);
    await until(settled);
  });
});

test("no more consumers are let in than the group allows", async () => {
  await create({ maxSubscriberCount: 1 });
  await using(client.subscribeToPersistentSubscriptionToStream(name, group), async (first) => {
    first.resume();
    await once(first, "confirmation");
    const second = client.subscribeToPersistentSubscriptionToStream(name, group);
    const [error] = await once(second, "error");
    refusal(PersistentSubscriptionMaximumSubscribersReachedError, { streamName: name, groupName: group })(error);
  });
});

test("a group is described as it was made, with those who consume", async () => {
  await fill(2);
  const settings = {
    startFrom: 1n,
    resolveLinkTos: true,
    extraStatistics: false,
    messageTimeout: 7_000,
    maxRetryCount: 3,
    checkPointAfter: 1_500,
    checkPointLowerBound: 2,
    checkPointUpperBound: 4,
    maxSubscriberCount: 6,
    liveBufferSize: 60,
    readBatchSize: 10,
    historyBufferSize: 50,
    consumerStrategyName: ROUND_ROBIN,
  };
  await create(settings);
  await consume(async (consumer) => {
    await take(consumer, 1);
    const described = await info();
    assert.deepEqual([described.eventSource, described.groupName], [name, group]);
    assert.deepEqual(described.settings, settings);
    assert.equal(described.stats.totalInFlightMessages, 1);
    assert.equal(described.stats.lastKnownEventRevision, 1n);
    assert.deepEqual(described.connections.map((one) => [one.inFlightMessages, one.availableSlots]), [[1, 9]]);
  });
});

test("a group is listed with those of its stream and with all", async () => {
  await create();
  const ours = (listed) => listed.map((one) => [one.eventSource, one.groupName]);
  assert.deepEqual(ours(await client.listPersistentSubscriptionsToStream(name)), [[name, group]]);
  const everything = ours(await client.listAllPersistentSubscriptions());
  assert.deepEqual(everything.filter(([source]) => source === name), [[name, group]]);
});

test("a changed group continues with its new settings", async () => {
  await create();
  const changed = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, maxRetryCount: 5 });
  await client.updatePersistentSubscriptionToStream(name, group, changed);
  assert.deepEqual((await info()).settings, changed);
});

test("a group is made once and deleted once", async () => {
  const fields = { streamName: name, groupName: group };
  const missing = refusal(PersistentSubscriptionDoesNotExistError, fields);
  await create();
  await assert.rejects(create(), refusal(PersistentSubscriptionExistsError, fields));
  const consumer = client.subscribeToPersistentSubscriptionToStream(name, group);
  consumer.resume();
  await once(consumer, "confirmation");
  const dropped = once(consumer, "error");
  await client.deletePersistentSubscriptionToStream(name, group);
  refusal(PersistentSubscriptionDroppedError, fields)((await dropped)[0]);
  await assert.rejects(info(), missing);
  await assert.rejects(client.deletePersistentSubscriptionToStream(name, group), missing);
  await assert.rejects(client.replayParkedMessagesToStream(name, group), missing);
  const [error] = await once(client.subscribeToPersistentSubscriptionToStream(name, group), "error");
  missing(error);
});

test("a group of $all is sent what its filter lets through", async () => {
  const kind = unique("persistent");
  const added = events(3);
  const { position: startFrom } = await client.appendToStream(unique("other"), events(1));
  await client.appendToStream(`${kind}-1`, added.slice(0, 2));
  const settings = persistentSubscriptionToAllSettingsFromDefaults({ startFrom });
  await client.createPersistentSubscriptionToAll(group, settings, { filter: streamNameFilter({ prefixes: [kind] }) });
  await using(client.subscribeToPersistentSubscriptionToAll(group), async (consumer) => {
    const first = await take(consumer, 2);
    assert.deepEqual(ids(first), ids(added.slice(0, 2)));
    await consumer.ack(...first);
    await client.appendToStream(unique("other"), events(1));
    await client.appendToStream(`${kind}-2`, added[2]);
    const live = await take(consumer, 1);
    assert.deepEqual(ids(live), [added[2].id]);
    await consumer.ack(...live);
  });
  const described = await client.getPersistentSubscriptionToAllInfo(group);
  assert.deepEqual([described.eventSource, described.settings], ["$all", settings]);
  const listed = await client.listPersistentSubscriptionsToAll();
  assert.ok(listed.some((one) => one.groupName === group));
  await client.deletePersistentSubscriptionToAll(group);
  await assert.rejects(
    client.getPersistentSubscriptionToAllInfo(group),
    refusal(PersistentSubscriptionDoesNotExistError, { streamName: "$all", groupName: group }),
  );
});
