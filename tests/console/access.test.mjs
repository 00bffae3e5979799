// The console where callers are authenticated: signing in, and what a role is offered.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { done, launch, pageOf, violations } from "./browser.mjs";
import { Server } from "./server.mjs";

const server = new Server();
const keys = {};
let browser;

before(async () => {
  [browser] = await Promise.all([launch(), server.startGuarded()]);
  for (const role of ["viewer", "operator"]) keys[role] = await server.key(role);
  await server.place({ orderId: "guarded", customer: { id: "AROUT", name: "Around the Horn" } }, "WAITING");
});

after(async () => {
  await browser?.close();
  await server.remove();
});

async function signedIn(role, address) {
  const page = await pageOf(browser, server.base);
  await page.goto(address);
  await page.getByLabel("API key").fill(keys[role]);
  await page.getByRole("button", { name: "Sign in" }).click();
  return page;
}

test("a caller signs in with a key, which is kept in the tab only, and signs out", async () => {
  const page = await pageOf(browser, server.base);
  await page.goto("/ui/orders/guarded");
  await page.getByLabel("API key").fill("tnt_nonsense");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("did not accept this key").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByLabel("API key").fill(keys.operator);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "guarded" }).waitFor();
  await page.getByText("operator-key").waitFor();
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length]), ["", 0]);
  await page.getByRole("button", { name: "Pause…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Recorded as operator-key.").waitFor();
  assert.equal(await dialog.getByLabel("Your name").count(), 0, "the principal is the actor");
  await dialog.getByLabel("Reason").fill("recount");
  await dialog.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByText("The last event of the decision").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("operator-key: ").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").waitFor();
  assert.equal(await page.getByRole("heading", { name: "guarded" }).count(), 0);
  await done(page);
});

test("a viewer is offered what its role allows, and sees no personal data", async () => {
  const page = await signedIn("viewer", "/ui/orders/guarded");
  await page.getByRole("heading", { name: "guarded" }).waitFor();
  await page.getByRole("heading", { name: "Events" }).waitFor();
  assert.equal(await page.getByRole("group", { name: "Operations" }).count(), 0);
  await page.getByText("1 line, 1 piece").click();
  assert.equal(await page.getByRole("button", { name: /Show name and address/ }).count(), 0);
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  await page.getByRole("rowheader", { name: "guarded" }).waitFor();
  assert.equal(await page.getByRole("checkbox", { name: "Select" }).count(), 0);
  await page.goto("/ui/workflows/order-fulfilment?view=whatif");
  await page.getByText("Trying workflows needs the role author.").waitFor();
  await done(page);
});
