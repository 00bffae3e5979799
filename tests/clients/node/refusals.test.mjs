// What is refused reaches the caller as a refusal, and leaves the process alive.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ANY, MaxAppendSizeExceededError, StreamDeletedError } from "@kurrent/kurrentdb-client";

import { all, client, event, events, unique } from "./store.mjs";

test("an append of many events that is refused further on rejects its promise", async () => {
  // More than servers take in one append: 1 MiB, and 16 MiB an event and more an append since 25.1.
  const large = Array.from({ length: 80 }, () => event("Happened", { data: { text: " ".repeat(900_000) } }));
  await assert.rejects(client.appendToStream(unique("append"), large, { streamState: ANY }), MaxAppendSizeExceededError);
  assert.equal((await client.appendToStream(unique("append"), events(1))).success, true);
});

test("a read of a stream that is deleted for good says so at once", async () => {
  const name = unique("read");
  await client.appendToStream(name, events(1));
  await client.tombstoneStream(name);
  await assert.rejects(all(client.readStream(name)), StreamDeletedError);
});
