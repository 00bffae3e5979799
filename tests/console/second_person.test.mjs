// Operations that a second person has to approve: one person asks, and another one decides, in two browsers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NARROW, done, launch, pageOf, violations } from "./browser.mjs";
import { Server } from "./server.mjs";

const RULES = `
[[second-person]]
operations = ["cancel"]
[[second-person]]
operations = ["pause"]
above-orders = 2
`;
const server = new Server();
const keys = {};
let browser;

before(async () => {
  [browser] = await Promise.all([launch(), server.startGuarded(RULES)]);
  for (const name of ["ann", "bob"]) keys[name] = await server.key("operator", name);
  for (const orderId of ["recalled", "kept"]) await server.place({ orderId }, "WAITING");
});

after(async () => {
  await browser?.close();
  await server.remove();
});

async function signedIn(name, address, options) {
  const page = await pageOf(browser, server.base, options);
  await page.goto(address);
  await page.getByLabel("API key").fill(keys[name]);
  await page.getByRole("button", { name: "Sign in" }).click();
  return page;
}

// Asks to cancel an order, on its page.
async function ask(page, reason) {
  await page.getByRole("button", { name: "Cancel order…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("A second person has to approve this.").waitFor();
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: "Cancel order", exact: true }).click();
  await dialog.getByText("Nothing is done yet.").waitFor();
  return dialog;
}

test("one person asks for a cancel, cannot approve it, and another one approves it", async () => {
  const ann = await signedIn("ann", "/ui/orders/recalled");
  const dialog = await ask(ann, "the batch is recalled");
  await dialog.getByText("Request recalled:1 waits for approval.").waitFor();
  assert.deepEqual(await violations(ann), []);
  await ann.keyboard.press("Escape");
  await ann.getByRole("heading", { name: "Operations that need a second person" }).waitFor();
  await ann.getByText("You asked for this, so another person has to approve or decline it.").waitFor();
  assert.equal(await ann.getByRole("button", { name: "Approve request recalled:1" }).count(), 0);
  assert.equal(await server.state("recalled"), "WAITING");

  const bob = await signedIn("bob", "/ui/approvals");
  const row = bob.getByRole("article").filter({ hasText: "the batch is recalled" });
  await row.getByText("asked for by ann").waitFor();
  assert.deepEqual(await violations(bob), []);
  await row.getByRole("button", { name: "Approve request recalled:1" }).click();
  const approval = bob.getByRole("dialog", { name: "Approve: Cancel, Order recalled" });
  await approval.getByText("The operation is carried out now").waitFor();
  assert.deepEqual(await violations(bob), []);
  await approval.getByLabel("Reason (optional)").fill("as agreed");
  await approval.getByRole("button", { name: "Approve", exact: true }).click();
  await bob.getByText("Request recalled:1 is approved.").waitFor();
  await row.waitFor({ state: "detached" });
  await server.until("the order is undone", async () => (await server.state("recalled")) === "CANCELED");
  await ann.getByText("A second person approved request 1").waitFor();
  await ann.getByText("ann, approved by bob").first().waitFor();
  await done(ann);
  await done(bob);
});

test("a request is declined with a reason, and another one is withdrawn, on a narrow and dark screen", async () => {
  const options = { viewport: NARROW, colorScheme: "dark" };
  const ann = await signedIn("ann", "/ui/orders/kept", options);
  await ask(ann, "may be lost");
  await ann.keyboard.press("Escape");
  const bob = await signedIn("bob", "/ui/approvals", options);
  await bob.getByRole("button", { name: "Decline request kept:1" }).click();
  const dialog = bob.getByRole("dialog");
  assert.ok(await dialog.getByRole("button", { name: "Decline", exact: true }).isDisabled(), "a reason is needed");
  await dialog.getByLabel("Reason").fill("it is found");
  await dialog.getByRole("button", { name: "Decline", exact: true }).click();
  await bob.getByText("Request kept:1 is declined.").waitFor();
  assert.deepEqual(await violations(bob), []);
  await ann.getByText("A second person declined request 1").waitFor();
  await ask(ann, "lost after all");
  await ann.keyboard.press("Escape");
  await ann.getByRole("button", { name: "Withdraw request kept:2" }).click();
  await ann.getByRole("dialog").getByRole("button", { name: "Withdraw", exact: true }).click();
  await ann.getByText("Request kept:2 is withdrawn.").waitFor();
  assert.equal(await server.state("kept"), "WAITING");
  await done(ann);
  await done(bob);
});

test("an operation on many orders is one request, and who approves it sees a line for each order", async () => {
  const many = ["many-1", "many-2", "many-3"];
  for (const orderId of many) await server.place({ orderId, customer: { id: "MANY" } }, "WAITING");
  const ann = await signedIn("ann", "/ui/orders?customer=MANY");
  for (const order of many) await ann.getByRole("checkbox", { name: `Select ${order}` }).check();
  await ann.getByRole("button", { name: "Pause…" }).click();
  const dialog = ann.getByRole("dialog", { name: "Pause 3 orders" });
  await dialog.getByText("A second person has to approve this for so many orders.").waitFor();
  await dialog.getByLabel("Reason").fill("stock-taking");
  await dialog.getByRole("button", { name: "Pause 3 orders" }).click();
  await dialog.getByText(/^Request .* waits for approval\.$/).waitFor();
  assert.deepEqual(await violations(ann), []);
  const bob = await signedIn("bob", "/ui/approvals");
  const row = bob.getByRole("article").filter({ hasText: "stock-taking" });
  await row.getByText("3 orders").waitFor();
  await row.getByRole("button", { name: /^Approve request/ }).click();
  const approval = bob.getByRole("dialog", { name: "Approve: Pause, 3 orders" });
  await approval.getByRole("button", { name: "Approve", exact: true }).click();
  await approval.getByText("Every order was reported.").waitFor();
  assert.equal(await approval.getByRole("listitem").count(), 3, "a line for each order");
  assert.deepEqual(await violations(bob), []);
  for (const order of many) await server.until(`${order} is paused`, async () => (await server.state(order)) === "PAUSED");
  await done(ann);
  await done(bob);
});
