// When orders are expected, and which are late, in a browser, against the real binary.

import { after, before, test } from "node:test";
import { done, launch, pageOf } from "./browser.mjs";
import { Server } from "./server.mjs";

const server = new Server();
let browser;

before(async () => {
  [browser] = await Promise.all([launch(), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
});

test("an order that takes longer than others did is late, wherever an operator looks", async () => {
  await server.post("/participants/shipping/stock", [{ sku: "coffee", quantity: 100 }]);
  const lines = [{ sku: "coffee", name: "Coffee", quantity: 1, unitPrice: "1.00" }];
  for (let number = 0; number < 12; number += 1) await server.place({ orderId: `quick-${number}`, lines }, "COMPLETED");
  await server.place({ orderId: "slow" }, "WAITING");
  const late = async () => (await server.query('{ order(id: "slow") { late } }')).order.late;

  const page = await pageOf(browser, server.base);
  await page.goto("/ui/orders/slow");
  await page.getByText(/^(Expected by|Late since)$/).waitFor();
  // The page receives this without an event.
  await page.getByText("Late since", { exact: true }).waitFor();
  if (!(await late())) throw new Error("the page is ahead of the server");
  await page.getByRole("button", { name: /^ship Waiting/ }).click();
  await page.getByText(/late since/).waitFor();

  await page.goto("/");
  await page.getByRole("link", { name: /^\d+\s*late$/ }).click();
  await page.getByRole("button", { name: "Late", exact: true, pressed: true }).waitFor();
  await page.getByRole("link", { name: "slow" }).waitFor();
  if ((await page.getByRole("link", { name: "quick-0" }).count()) > 0) throw new Error("an order that has ended is not late");
  await page.getByRole("button", { name: "Late", exact: true }).click();
  await page.getByRole("link", { name: "quick-0" }).waitFor();

  await page.goto("/ui/stuck");
  const cause = page.getByRole("link", { name: /shipping.*They take longer than 95 of 100 such orders.*ship/s });
  await cause.first().click();
  await page.getByRole("columnheader", { name: "Late since" }).waitFor();
  await page.getByRole("link", { name: "slow" }).waitFor();
  await done(page);
});
