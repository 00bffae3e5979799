// What the tests share: where the server is, and orders to ask for.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

export const base = process.env.TENUTO_QUERIES;
export const url = `${base}/graphql`;

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${base}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
  return response;
}

// Places an order that will be shipped; its id, and the position that it was answered with.
export async function place() {
  const sku = randomUUID();
  await post("/participants/shipping/stock", [{ sku, quantity: 1 }]);
  const order = {
    workflow: "order-fulfilment",
    customer: { id: "VINET", name: "Vins et alcools Chevalier", email: "orders@vinet.example" },
    currency: "EUR",
    lines: [{ sku, name: "Queso Cabrales", quantity: 1, unitPrice: "14.00" }],
  };
  const { orderId, position } = await (await post("/orders", order)).json();
  return { id: orderId, position };
}

// Takes an order's changes until it has ended, and looks whether they came in order.
export async function followed(changes) {
  let last = -1n;
  for await (const { data, errors } of changes) {
    assert.equal(errors, undefined);
    const { state, position } = data.order;
    assert.ok(BigInt(position) > last, `${position} after ${last}`);
    last = BigInt(position);
    if (state === "COMPLETED") return position;
  }
  throw new Error("the changes ended before the order did");
}

export const CHANGES = "subscription ($id: ID!, $from: Position) { order(id: $id, from: $from) { id state position } }";
const ORDER =
  "query ($id: ID!, $position: Position!) { order(id: $id, freshness: { position: $position }) { id position } }";

// Places an order, and looks whether a query that names its position has it.
export async function seesWhatWasWritten(client) {
  const { id, position } = await place();
  const answers = [];
  for await (const answer of client.iterate({ query: ORDER, variables: { id, position } })) answers.push(answer);
  assert.equal(answers.length, 1);
  assert.equal(answers[0].data.order.id, id);
}
