// Requests to a participant, checked by the official library of Standard Webhooks.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { before, test } from "node:test";

import { Webhook, WebhookVerificationError } from "standardwebhooks";

const base = process.env.TENUTO_QUERIES;
// The new and the old secret of the participant, as the server's file has them.
const secrets = process.env.TENUTO_WEBHOOK_SECRETS.split(" ");
const NAME = "Zoë “Beeblebrox” 🚀";

async function post(path, type, body) {
  const response = await fetch(`${base}${path}`, { method: "POST", headers: { "content-type": type }, body });
  assert.ok(response.ok, `${path}: ${response.status} ${await response.text()}`);
}

// The two attempts of a request: the first one is refused for now.
async function attempts() {
  const requests = [];
  let arrived;
  const both = new Promise((resolve) => (arrived = resolve));
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    requests.push({ headers: request.headers, body: Buffer.concat(parts) });
    response.writeHead(requests.length === 1 ? 503 : 200).end("{}");
    if (requests.length === 2) arrived();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const workflow = `webhooks-${randomUUID()}`;
  await post(
    "/workflows",
    "application/yaml",
    `workflow: ${workflow}
version: 1
participants: { webhooks: { url: "http://127.0.0.1:${server.address().port}" } }
steps: { act: { call: webhooks.act, with: { name: order.customer.name }, retry: { initial: 100ms } } }`,
  );
  const order = {
    workflow,
    customer: { id: "ZB", name: NAME },
    currency: "EUR",
    lines: [{ sku: "11", quantity: 1, unitPrice: "14.00" }],
  };
  await post("/orders", "application/json", JSON.stringify(order));
  await both;
  server.close();
  server.closeAllConnections();
  return requests;
}

let requests;
before(async () => (requests = await attempts()));

test("each attempt is right with each secret", () => {
  for (const { headers, body } of requests) {
    for (const secret of secrets) assert.equal(new Webhook(secret).verify(body, headers).input.name, NAME);
  }
});

test("attempts have one id, which is the idempotency key", () => {
  const [first, second] = requests.map(({ headers }) => headers);
  assert.equal(first["webhook-id"], second["webhook-id"]);
  assert.equal(first["idempotency-key"], `"${first["webhook-id"]}"`);
});

test("a changed request is wrong", () => {
  const [{ headers, body }] = requests;
  const verify = (secret, body, headers) => () => new Webhook(secret).verify(body, headers);
  assert.throws(verify(secrets[0], Buffer.concat([body, Buffer.from(" ")]), headers), WebhookVerificationError);
  assert.throws(verify(secrets[0], body, { ...headers, "webhook-id": "another" }), WebhookVerificationError);
  assert.throws(verify("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", body, headers), WebhookVerificationError);
});
