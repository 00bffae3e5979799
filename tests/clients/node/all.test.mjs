// Reads of `$all`, the order of everything.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { BACKWARDS, END, eventTypeFilter, excludeSystemEvents, streamNameFilter } from "@kurrent/kurrentdb-client";

import { all, client, event, ids, unique } from "./store.mjs";

// Two streams of a kind of their own, appended to in turn, with two types of events.
const kind = unique("all");
const streams = [`${kind}-0`, `${kind}-1`];
const added = [event(`${kind}.Placed`), event(`${kind}.Placed`), event(`${kind}.Charged`), event(`${kind}.Charged`)];
const positions = [];
before(async () => {
  for (const [number, one] of added.entries()) {
    positions.push((await client.appendToStream(streams[number % 2], one)).position);
  }
});

const read = (filter, how = {}) => all(client.readAll({ filter, ...how }));
const ofKind = (how) => read(streamNameFilter({ prefixes: [kind] }), how);

test("a prefix of stream names chooses streams", async () => {
  const chosen = await ofKind();
  assert.deepEqual(ids(chosen), ids(added));
  assert.deepEqual(chosen.map((one) => one.event.position), positions);
  assert.deepEqual(ids(await read(streamNameFilter({ prefixes: ["no-such", streams[1]] }))), ids([added[1], added[3]]));
});

test("an expression chooses types", async () => {
  assert.deepEqual(ids(await read(eventTypeFilter({ regex: `^${kind}\\.Ch.*ed$` }))), ids(added.slice(2)));
});

test("a prefix chooses types and an expression chooses streams", async () => {
  assert.deepEqual(ids(await read(eventTypeFilter({ prefixes: [`${kind}.P`] }))), ids(added.slice(0, 2)));
  assert.deepEqual(ids(await read(streamNameFilter({ regex: `^${kind}-[1-9]$` }))), ids([added[1], added[3]]));
});

test("system events are left out on demand", async () => {
  const rest = await read(excludeSystemEvents(), { fromPosition: positions[0] });
  assert.deepEqual(rest.filter((one) => one.event.type.startsWith("$")), []);
  assert.deepEqual(ids(rest.filter((one) => one.event.type.startsWith(kind))), ids(added));
});

test("a read begins at the position it names", async () => {
  assert.deepEqual(ids(await ofKind({ fromPosition: positions[2] })), ids(added.slice(2)));
  const before = await ofKind({ fromPosition: positions[2], direction: BACKWARDS });
  assert.deepEqual(ids(before), ids([added[1], added[0]]));
});

test("backwards the last comes first and a limit ends it", async () => {
  const backwards = { direction: BACKWARDS, fromPosition: END };
  assert.deepEqual(ids(await ofKind(backwards)), ids(added.toReversed()));
  assert.deepEqual(ids(await ofKind({ ...backwards, maxCount: 1 })), [added[3].id]);
  assert.deepEqual(ids(await ofKind({ maxCount: 3 })), ids(added.slice(0, 3)));
});
