// Stuck orders, approvals, workflows, participants and audit, in a browser, against the real binary.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { NARROW, WIDE, done, launch, pageOf, picture, violations } from "./browser.mjs";
import { Server } from "./server.mjs";

const APPROVED = `workflow: approved
version: 1
participants: {}
steps:
  approve: { await: approval, timeout: 2d, outcomes: [approved, rejected], compensate-on: [rejected], sets-status: Approved }
`;
const STUCK = 200;

const server = new Server();
let browser;

before(async () => {
  [browser] = await Promise.all([launch(), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
});

const open = (options) => pageOf(browser, server.base, options);
const stuck = async () => (await server.query("{ overview { stuck } }")).overview.stuck;

// Orders whose undo fails for good: they are stuck for the same cause, and their texts differ.
async function makeStuck(prefix, count) {
  const before = await stuck();
  const fault = { participant: "payments", action: "refund", respond: { status: 422, detail: "the ledger of May 2026 is closed" }, times: count };
  await server.post("/participants/faults", [fault]);
  const lines = [{ sku: "not-sold", name: "Nothing", quantity: 1, unitPrice: "1.00" }];
  const numbers = Array.from({ length: count }, (_, number) => number);
  for (let from = 0; from < count; from += 20) {
    const some = numbers.slice(from, from + 20);
    await Promise.all(some.map((number) => server.place({ orderId: `${prefix}-${number}`, workflow: "order-fulfilment-without-backorder", lines })));
  }
  await server.until(`${count} orders are stuck`, async () => (await stuck()) === before + count);
}

test("an operator finds why orders are stuck and mends a group of 200, by keyboard alone, within ten actions", async () => {
  await makeStuck("stuck", STUCK);
  const page = await open();
  await page.goto("/");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  let actions = 0;
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
    actions += 1;
  };
  await press("g", "s");
  const cause = page.getByRole("link", { name: /payments\.refund/ });
  await cause.getByText(String(STUCK), { exact: true }).waitFor();
  await cause.getByText("answered 422 Unprocessable Entity: the ledger of May # is closed").waitFor();
  await press("j");
  await press("Enter");
  await page.getByText("The undo failed for good").waitFor();
  await press("r");
  const dialog = page.getByRole("dialog", { name: `Retry ${STUCK} orders` });
  await dialog.getByText(`${STUCK} orders will get this instruction`).waitFor();
  await dialog.getByText("All of the first 5 would accept it now.").waitFor();
  await page.keyboard.type("the ledger is open again");
  actions += 1;
  await press("Enter");
  await dialog.getByText(`${STUCK} of ${STUCK}`).waitFor();
  await dialog.getByText("Every order was reported.").waitFor();
  assert.equal(await dialog.getByRole("listitem").count(), STUCK, "a line for each order");
  await press("Escape");
  await page.getByText("No order is stuck or late").waitFor();
  assert.ok(actions <= 10, `${actions} actions`);
  await server.until("the orders are undone", async () => (await server.state("stuck-0")) === "CANCELED");
  const { order } = await server.query('{ order(id: "stuck-0") { timeline { nodes { reason } } } }');
  assert.ok(order.timeline.nodes.some(({ reason }) => reason === "the ledger is open again"));
  await done(page);
});

test("more than a thousand stuck orders of one cause are counted and resolved together", async () => {
  await makeStuck("crowd", 1050);
  const page = await open();
  await page.goto("/ui/stuck");
  await page.getByRole("link", { name: /payments\.refund/ }).getByText("1,050", { exact: true }).waitFor();
  await page.getByText("For all 1,050").waitFor();
  await page.getByRole("button", { name: "Show 150 more" }).click();
  await page.getByText("200 of 1,050 orders are shown.").waitFor();
  await page.getByRole("button", { name: /^Retry/ }).click();
  const dialog = page.getByRole("dialog", { name: "Retry 1,050 orders" });
  await dialog.getByLabel("Reason").fill("the ledger is open again");
  await dialog.getByRole("button", { name: "Retry 1,050 orders" }).click();
  await dialog.getByText("Every order was reported.").waitFor({ timeout: 60_000 });
  await dialog.getByText("1,050 accepted").waitFor();
  const left = "{ orders(where: { state: [COMPENSATING, STUCK] }, first: 1) { nodes { id } } }";
  await server.until("the orders are undone", async () => (await server.query(left)).orders.nodes.length === 0);
  await done(page);
});

test("an operator skips one order of a group, and the line of a refused one says why", async () => {
  await makeStuck("some", 3);
  const page = await open();
  await page.goto("/ui/stuck");
  await page.getByRole("checkbox", { name: "Select order some-1" }).check();
  await page.getByText("For the 1 selected of 3").waitFor();
  await page.getByRole("button", { name: "Skip…" }).click();
  const dialog = page.getByRole("dialog", { name: "Skip 1 order" });
  assert.equal(await dialog.getByLabel("Step", { exact: true }).inputValue(), "charge");
  await dialog.getByLabel("Reason").fill("paid back by hand");
  // Meanwhile another operator does it: the second one is refused.
  await server.post("/orders/some-1/skip", { step: "charge", reason: "first" });
  await server.until("the order is undone", async () => (await server.state("some-1")) === "CANCELED");
  await dialog.getByRole("button", { name: "Skip 1 order" }).click();
  await dialog.getByText("0 accepted, 1 refused").waitFor();
  await dialog.getByRole("listitem").getByText("Canceled", { exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
  await page.getByRole("checkbox", { name: "Select order some-1" }).waitFor({ state: "detached" });
  await page.getByText("For all 2").waitFor();
  await page.getByRole("button", { name: /^Cancel…/ }).waitFor();
  await done(page);
});

test("an operator leaves a note on orders of a group, and another operator reads it before acting", async () => {
  await makeStuck("noted", 3);
  const page = await open();
  await page.goto("/ui/stuck");
  const note = async (orders, text) => {
    for (const order of orders) await page.getByRole("checkbox", { name: `Select order ${order}` }).check();
    await page.keyboard.press("n");
    const dialog = page.getByRole("dialog", { name: /^Note / });
    await dialog.getByLabel("Note").fill(text);
    await dialog.getByLabel("Your name").fill("ann");
    await dialog.getByRole("button", { name: /^Note \d/ }).click();
    await dialog.getByText("Every order was reported.").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("region", { name: "Notes" }).getByText(text).waitFor();
    for (const order of orders) await page.getByRole("checkbox", { name: `Select order ${order}` }).uncheck();
  };
  await note(["noted-0", "noted-1"], "the ledger opens again on Monday");
  await note(["noted-2"], "she called twice");
  await done(page);
  const other = await open();
  await other.goto("/ui/stuck");
  const notes = other.getByRole("region", { name: "Notes" }).getByRole("listitem");
  await notes.nth(1).getByText(/^ann, .*, 2 orders$/).waitFor();
  assert.match(await notes.nth(1).innerText(), /the ledger opens again on Monday/);
  assert.match(await notes.nth(0).innerText(), /she called twice/);
  await notes.nth(0).getByRole("link", { name: "noted-2" }).click();
  await other.getByRole("region", { name: "Notes 1" }).getByText("she called twice").waitFor();
  await done(other);
});

test("a person decides on a step that waits for one, with a reason", async () => {
  await server.post("/workflows", APPROVED, "application/yaml");
  await server.place({ orderId: "large", workflow: "approved" }, "WAITING");
  const page = await open();
  await page.goto("/ui/approvals");
  await page.getByRole("heading", { name: "approval", exact: true }).waitFor();
  await page.getByText("The step fails, and the order is undone").waitFor();
  await page.getByRole("button", { name: "Decide on large" }).click();
  const dialog = page.getByRole("dialog", { name: "approval, order large" });
  await dialog.getByRole("radio", { name: "approved" }).check();
  assert.ok(await dialog.getByRole("button", { name: "Decide: approved" }).isDisabled(), "a reason must be given");
  await dialog.getByLabel("Reason").fill("a known customer");
  await dialog.getByLabel("Your name").fill("bob");
  await dialog.getByRole("button", { name: "Decide: approved" }).click();
  await page.getByText("approved is recorded for order large").waitFor();
  await page.getByText("Nothing waits for a person").waitFor();
  assert.equal(await server.state("large"), "COMPLETED");
  const { order } = await server.query('{ order(id: "large") { timeline { nodes { actor reason } } } }');
  assert.ok(order.timeline.nodes.some(({ actor, reason }) => actor === "bob" && reason === "a known customer"));
  await done(page);
});

test("an author sees faults at their lines while writing, registers a version, and compares it", async () => {
  const page = await open();
  await page.goto("/ui/workflows");
  await page.getByRole("link", { name: "order-parallel" }).click();
  await page.getByRole("button", { name: /^charge/ }).waitFor();
  await page.getByRole("link", { name: "New version from this text" }).click();
  const editor = page.getByRole("textbox", { name: "Workflow file" });
  await page.getByText("order-parallel version 2 has no fault.").waitFor();
  const text = await editor.inputValue();
  const line = text.split("\n").findIndex((line) => line.includes("payments.charge")) + 1;
  await editor.fill(text.replace("payments.charge", "absent.charge"));
  await page.getByRole("button", { name: new RegExp(`^Line ${line}, column`) }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Register", exact: true }).isDisabled());
  await editor.fill(`${text}# the second one\n`);
  await page.getByText("order-parallel version 2 has no fault.").waitFor();
  await page.getByRole("button", { name: "Register", exact: true }).click();
  await page.getByText("order-parallel version 2 is registered.").waitFor();
  await page.getByRole("link", { name: "Show it" }).click();
  await page.getByRole("link", { name: "Difference" }).click();
  await page.getByText("# the second one").waitFor();
  await page.getByRole("row", { name: /added version: 2/ }).waitFor();
  await page.getByRole("row", { name: /removed version: 1/ }).waitFor();
  await done(page);
});

test("a failure on purpose opens a circuit that the page of participants shows, and stock is added", async () => {
  const page = await open();
  await page.goto("/ui/participants");
  await page.getByLabel("SKU").fill("browser-tea");
  await page.getByRole("spinbutton", { name: "Quantity" }).fill("7");
  await page.getByRole("button", { name: "Restock" }).click();
  await page.getByRole("row", { name: "browser-tea 7 0" }).waitFor();
  await page.getByRole("combobox", { name: /^Participant/ }).selectOption("orders");
  await page.getByRole("spinbutton", { name: "Status" }).fill("503");
  await page.getByRole("spinbutton", { name: "Times" }).fill("50");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("listitem").getByText("answers 503, 50 times").waitFor();
  // Ten attempts in a row without success open the circuit.
  await Promise.all(Array.from({ length: 10 }, (_, number) => server.place({ orderId: `held-${number}` })));
  const row = page.getByRole("row", { name: /^orders open no answer, or a 5xx/ });
  await row.getByRole("link", { name: /^\d+$/ }).click();
  await page.getByText("Participant of the step: orders").waitFor();
  await page.getByRole("rowheader", { name: /^held-/ }).first().waitFor();
  await page.goto("/ui/participants");
  await page.getByRole("button", { name: "End all" }).click();
  await page.getByText("No failure is scripted").waitFor();
  await page.getByText("Your order").first().click();
  await done(page);
});

test("an auditor verifies an order and everything, and exports a page that verifies itself", async () => {
  const page = await open();
  await page.goto("/ui/audit?order=sample-shipped");
  const order = page.getByRole("region", { name: "One order" });
  await order.getByText("Everything is as it was written").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), order.getByRole("button", { name: "Page that verifies itself" }).click()]);
  assert.equal(download.suggestedFilename(), "order-sample-shipped.html");
  assert.match(readFileSync(await download.path(), "utf8"), /^<!doctype html>[^]*sample-shipped/i);
  await order.getByLabel("Id of the order").fill("no-such-order");
  await order.getByRole("button", { name: "Verify", exact: true }).click();
  await order.getByRole("alert").getByText("no-such-order").waitFor();
  const everything = page.getByRole("region", { name: "Everything" });
  await everything.getByRole("button", { name: "Verify everything" }).click();
  await everything.getByText("Everything is as it was written").waitFor();
  await page.getByText("The log has no seal").waitFor();
  await done(page);
});

test("the pages have no violation of WCAG 2.2 AA, in both themes and sizes, and do not scroll sideways", async () => {
  await makeStuck("axe", 2);
  await server.place({ orderId: "axe-large", workflow: "approved" }, "WAITING");
  const pages = [
    ["stuck", "/ui/stuck", "What to do"],
    ["approvals", "/ui/approvals", "axe-large"],
    ["workflows", "/ui/workflows", "order-fulfilment"],
    ["workflow", "/ui/workflows/order-fulfilment", "notify-shipped"],
    ["workflow-text", "/ui/workflows/order-fulfilment?view=text", "How an order is fulfilled"],
    ["workflow-difference", "/ui/workflows/order-parallel?version=2&view=difference", "the second one"],
    ["workflow-register", "/ui/workflows?register=order-fulfilment%401", "has no fault"],
    ["participants", "/ui/participants", "Mailbox"],
    ["audit", "/ui/audit?order=sample-shipped", "of order sample-shipped"],
  ];
  for (const viewport of [WIDE, NARROW]) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport, colorScheme });
      for (const [name, path, text] of pages) {
        await page.goto(path);
        await page.getByText(text).first().waitFor();
        const size = viewport === WIDE ? "wide" : "narrow";
        assert.deepEqual(await violations(page), [], `${name}, ${size}, ${colorScheme}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${name}, ${size}: ${over} pixels too wide`);
        if (!name.includes("-")) await picture(page, `${name}-${colorScheme}-${size}`);
      }
      await done(page);
    }
  }
});
