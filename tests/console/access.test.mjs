// The console where callers are authenticated: signing in, and what a role is offered.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { done, launch, pageOf, violations } from "./browser.mjs";
import { Server } from "./server.mjs";

const server = new Server();
const keys = {};
let browser;

before(async () => {
  const file = join(server.folder, "access.toml");
  writeFileSync(file, "");
  [browser] = await Promise.all([launch(), server.start("127.0.0.1:0", ["--access", file])]);
  const data = join(server.folder, "data");
  for (const role of ["viewer", "operator", "admin"]) {
    const given = ["key", "create", "--role", role, "--name", `${role}-key`];
    const { stdout } = await promisify(execFile)(process.env.TENUTO, given, { env: { ...process.env, TENUTO_DATA: data } });
    keys[role] = stdout.trim();
  }
  const headers = { "content-type": "application/json", authorization: `Bearer ${keys.admin}` };
  const order = { orderId: "guarded", workflow: "order-fulfilment", customer: { id: "AROUT", name: "Around the Horn" }, currency: "EUR", lines: [{ sku: "none", quantity: 1, unitPrice: "1.00" }] };
  const placed = await fetch(`${server.base}/orders`, { method: "POST", headers, body: JSON.stringify(order) });
  assert.equal(placed.status, 202, await placed.text());
  await server.until("the order waits", async () => (await (await fetch(`${server.base}/orders/guarded`, { headers })).json()).state === "WAITING");
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
  await done(page);
});
