// The audits of GraphQL over HTTP that its working group keeps.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serverAudits } from "graphql-http";

import { url } from "./server.mjs";

for (const audit of serverAudits({ url })) {
  test(`${audit.id}: ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, "ok", result.reason);
  });
}
