// What probes and tools ask over HTTP/1.1, on the port of the log.

import assert from "node:assert/strict";
import { test } from "node:test";

const { TENUTO_EVENTSTORE: address } = process.env;
const [host] = address.replace(/^[a-z+]+:\/\/(?:[^@/?]*@)?/, "").split(/[?/,]/);
const base = `${/tls=false/i.test(address) ? "http" : "https"}://${host}`;

test("a probe learns that the server lives", async () => {
  assert.equal((await fetch(`${base}/health/live`)).status, 204);
});

test("tools learn what the server is and who leads", async () => {
  const json = async (path) => (await fetch(`${base}${path}`, { headers: { accept: "application/json" } })).json();
  assert.match((await json("/ping")).text, /success/);
  const { state, esVersion, dbVersion } = await json("/info");
  assert.equal(state, "leader");
  assert.match(esVersion ?? dbVersion, /^\d+\.\d+/);
  const { members } = await json("/gossip");
  assert.equal(members.filter((member) => member.isAlive && member.state === "Leader").length, 1);
});
