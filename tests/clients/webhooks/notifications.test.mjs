// Notifications of a webhook, checked by the official library of Standard Webhooks.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Webhook, WebhookVerificationError } from "standardwebhooks";

const base = process.env.TENUTO_QUERIES;

async function call(method, path, type, body) {
  const response = await fetch(`${base}${path}`, { method, headers: { "content-type": type }, body });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

let webhook, received, server;
before(async () => {
  received = [];
  let arrived;
  const all = new Promise((resolve) => (arrived = resolve));
  server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    received.push({ headers: request.headers, body: Buffer.concat(parts) });
    response.writeHead(received.length === 1 ? 503 : 204).end();
    if (received.length === 4) arrived();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const workflow = `notified-${randomUUID()}`;
  const text = `workflow: ${workflow}\nversion: 1\nparticipants: {}\nsteps: { pause: { wait: 1ms, sets-status: Late } }`;
  await call("POST", "/workflows", "application/yaml", text);
  const settings = { url: `http://127.0.0.1:${server.address().port}/hooks`, workflow };
  webhook = await call("POST", "/webhooks", "application/json", JSON.stringify(settings));
  const order = {
    workflow,
    customer: { id: "ZB", name: "Zoë" },
    currency: "EUR",
    lines: [{ sku: "11", quantity: 1, unitPrice: "14.00" }],
  };
  await call("POST", "/orders", "application/json", JSON.stringify(order));
  await all;
});

after(async () => {
  await call("DELETE", `/webhooks/${webhook.id}`, "application/json");
  server.close();
  server.closeAllConnections();
});

test("each notification is right, and in order", () => {
  const types = received.map(({ headers, body }) => new Webhook(webhook.secret).verify(body, headers).type);
  assert.deepEqual(types, ["order.placed", "order.placed", "order.status_changed", "order.ended"]);
});

test("a changed body is wrong", () => {
  const { headers, body } = received[0];
  assert.throws(() => new Webhook(webhook.secret).verify(Buffer.concat([body, Buffer.from(" ")]), headers), WebhookVerificationError);
});
