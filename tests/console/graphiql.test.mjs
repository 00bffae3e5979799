// GraphiQL at /graphql: queries, a subscription, and the credentials of the tab.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { done, launch, pageOf } from "./browser.mjs";
import { Server } from "./server.mjs";

const server = new Server();
const guarded = new Server();
let browser;
let key;

before(async () => {
  browser = await launch();
  await server.start("127.0.0.1:0", ["--no-samples"]);
  await guarded.startGuarded();
  key = await guarded.key("viewer");
});

after(async () => {
  await browser?.close();
  await server.remove();
  await guarded.remove();
});

const answer = (page) => page.locator(".result-window");
const run = (page) => page.getByRole("button", { name: /Execute query/ }).click();

async function opened(base) {
  const page = await pageOf(browser, base);
  await page.goto("/graphql");
  await page.getByRole("button", { name: /Execute query/ }).waitFor();
  return page;
}

test("a query is answered, a subscription shows each change, and the policy refuses nothing", async () => {
  const page = await opened(server.base);
  await run(page);
  await answer(page).getByText('"byStatus"').waitFor();
  await page.getByRole("button", { name: "Changes" }).click();
  await run(page);
  await page.getByRole("button", { name: /Stop query/ }).waitFor();
  await server.place({ orderId: "seen-at-once" });
  await answer(page).getByText('"seen-at-once"').waitFor();
  await page.getByRole("button", { name: /Stop query/ }).click();
  await page.getByRole("button", { name: /Execute query/ }).waitFor();
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  const documentation = page.locator(".graphiql-doc-explorer");
  await documentation.getByText("Subscription", { exact: true }).click();
  await documentation.getByText("The orders that match a filter, each whenever it changes").waitFor();
  await page.getByRole("button", { name: "Open settings dialog" }).click();
  await page.getByRole("dialog").getByText("Theme", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await done(page);
});

test("the page opens without credentials, its queries are refused, and a header that is written counts", async () => {
  const page = await opened(guarded.base);
  await page.getByRole("link", { name: "Sign in on the console" }).waitFor();
  await run(page);
  await answer(page).getByText("credentials").first().waitFor();
  await page.getByRole("button", { name: "Headers" }).click();
  await page.locator(".graphiql-editor-tool .CodeMirror:visible").click();
  await page.keyboard.insertText(`{"authorization": "Bearer ${key}"}`);
  await run(page);
  await answer(page).getByText('"byStatus"').waitFor();
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage)), "{}", "what is kept ends with the tab");
  await done(page);
});

test("the sign-in of the console counts for queries and subscriptions of the same tab", async () => {
  const page = await pageOf(browser, guarded.base);
  await page.goto("/ui/orders");
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "GraphQL" }).click();
  await run(page);
  await answer(page).getByText('"byStatus"').waitFor();
  await page.getByRole("button", { name: "Changes" }).click();
  await run(page);
  await page.getByRole("button", { name: /Stop query/ }).waitFor();
  await guarded.place({ orderId: "seen-by-a-viewer" });
  await answer(page).getByText('"seen-by-a-viewer"').waitFor();
  await done(page);
});
