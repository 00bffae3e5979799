// Appends: what they answer, what they refuse, and that a repeat adds nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ANY,
  KurrentDBClient,
  MaxAppendSizeExceededError,
  NO_STREAM,
  STREAM_EXISTS,
  UnsupportedError,
  WrongExpectedVersionError,
  binaryEvent,
} from "@kurrent/kurrentdb-client";

import { client, event, events, ids, refusal, revisions, stream, unique } from "./store.mjs";

// The client makes the call `BatchAppend`, and `Append` where credentials are given, which are not checked here.
const ways = { BatchAppend: {}, Append: { credentials: { username: "admin", password: "changeit" } } };

for (const [way, options] of Object.entries(ways)) {
  const append = (name, several, streamState) => client.appendToStream(name, several, { streamState, ...options });

  test(`${way}: an event is read as it was appended where the answer says`, async () => {
    const name = unique("append");
    const added = event("Placed", { data: { sku: "☕" }, metadata: { actor: "me" } });
    const { success, nextExpectedRevision, position } = await append(name, added, NO_STREAM);
    assert.deepEqual([success, nextExpectedRevision], [true, 0n]);
    const [read] = await stream(name);
    const { created, ...recorded } = read.event;
    const { id, type, data, metadata } = added;
    assert.deepEqual(recorded, { streamId: name, id, revision: 0n, type, data, metadata, isJson: true, position });
    assert.ok(Math.abs(Date.now() - created) < 3_600_000, `created at ${created}`);
  });

  test(`${way}: bytes that are not JSON stay as they are`, async () => {
    const name = unique("append");
    await append(name, binaryEvent({ type: "Scanned", data: Uint8Array.of(0, 255) }), ANY);
    const [{ event: read }] = await stream(name);
    assert.equal(read.isJson, false);
    assert.deepEqual([...read.data], [0, 255]);
  });

  test(`${way}: several events are one append`, async () => {
    const name = unique("append");
    const added = events(50);
    const { nextExpectedRevision, position } = await append(name, added, NO_STREAM);
    assert.equal(nextExpectedRevision, 49n);
    const read = await stream(name);
    assert.deepEqual(ids(read), ids(added));
    assert.deepEqual(revisions(read), added.map((_, number) => BigInt(number)));
    assert.deepEqual(read[49].event.position, position);
  });

  test(`${way}: every expectation that holds is kept to`, async () => {
    const name = unique("append");
    const answers = [];
    for (const expected of [NO_STREAM, 0n, STREAM_EXISTS, ANY, 3n]) answers.push(await append(name, event(), expected));
    assert.deepEqual(answers.map((answer) => answer.nextExpectedRevision), [0n, 1n, 2n, 3n, 4n]);
    const positions = answers.map((answer) => answer.position.commit);
    assert.ok(positions.every((position, number) => number === 0 || position > positions[number - 1]), `${positions}`);
  });

  test(`${way}: an expectation that does not hold is refused with what is there`, async () => {
    const name = unique("append");
    const conflict = async (expectedState, actualState) => {
      const fields = { streamName: name, expectedState, actualState };
      await assert.rejects(append(name, event(), expectedState), refusal(WrongExpectedVersionError, fields));
    };
    await conflict(0n, NO_STREAM);
    await conflict(STREAM_EXISTS, NO_STREAM);
    await append(name, event(), NO_STREAM);
    await append(name, event(), 0n);
    await conflict(NO_STREAM, 1n);
    await conflict(0n, 1n);
    await conflict(7n, 1n);
    assert.equal((await stream(name)).length, 2);
  });

  test(`${way}: a repeat is answered like the first and adds nothing`, async () => {
    const name = unique("append");
    const added = events(2);
    const answer = await append(name, added, NO_STREAM);
    const later = event();
    await append(name, later, 1n);
    assert.deepEqual(await append(name, added, NO_STREAM), answer);
    assert.deepEqual(await append(name, added, ANY), answer);
    await assert.rejects(append(name, [...added, event()], NO_STREAM), refusal(WrongExpectedVersionError));
    assert.deepEqual(ids(await stream(name)), ids([...added, later]));
  });

  test(`${way}: what is too large is refused by its name`, async () => {
    const large = (bytes) => event("Happened", { data: { text: " ".repeat(bytes) } });
    const refused = (error) => error instanceof MaxAppendSizeExceededError && error.maxAppendSize >= 1 << 20;
    // Servers since 25.1 take 16 MiB an event.
    const outcome = await append(unique("append"), large(1 << 20), ANY).catch((error) => error);
    if (outcome instanceof Error) assert.ok(refused(outcome), outcome);
    else await assert.rejects(append(unique("append"), large(40 << 20), ANY), refused);
  });
}

test("what is larger than a batch is sent in several and still one append", async () => {
  const name = unique("append");
  const added = events(20);
  const { nextExpectedRevision } = await client.appendToStream(name, added, { streamState: NO_STREAM, batchAppendSize: 256 });
  assert.equal(nextExpectedRevision, 19n);
  assert.deepEqual(ids(await stream(name)), ids(added));
});

test("appends that are under way together are each answered for", async () => {
  const names = Array.from({ length: 100 }, () => unique("append"));
  const answers = await Promise.all(names.map((name) => client.appendToStream(name, events(2), { streamState: NO_STREAM })));
  assert.deepEqual(new Set(answers.map((answer) => answer.nextExpectedRevision)), new Set([1n]));
  assert.equal(new Set(answers.map((answer) => answer.position.commit)).size, names.length);
});

test("a client that does not want an error gets the conflict as a result", async (t) => {
  const lenient = KurrentDBClient.connectionString(`${process.env.TENUTO_EVENTSTORE}&throwOnAppendFailure=false`);
  t.after(() => lenient.dispose());
  const { success, position } = await lenient.appendToStream(unique("append"), event(), { streamState: 3n });
  assert.deepEqual([success, position], [false, undefined]);
});

test("several streams at once are appended to wholly, or the client knows that the server cannot", async () => {
  const requests = [unique("append"), unique("append")].map((streamName) => ({
    streamName,
    events: [event("Placed", { metadata: { actor: "me" } })],
    expectedState: NO_STREAM,
  }));
  try {
    await client.multiStreamAppend(requests);
  } catch (error) {
    return refusal(UnsupportedError, { feature: "multiStreamAppend", minimumVersion: "25.1" })(error);
  }
  for (const { streamName, events: added } of requests) assert.deepEqual(ids(await stream(streamName)), ids(added));
});
