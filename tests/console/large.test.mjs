// Large data: many orders, steps and events, and large answers. Each page is compared with one of little data, in the same run.
// `CONSOLE_FULL=1` has the sizes that the console is built for; without it, the sizes suit CI.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { done, launch, pageOf } from "./browser.mjs";
import { participant, placeMany } from "./load.mjs";
import { measure, measured, unit } from "./measuring.mjs";
import { Server } from "./server.mjs";

const isFull = process.env.CONSOLE_FULL === "1";
const ORDERS = isFull ? 100_000 : 1_000;
const EVENTS = isFull ? 5_000 : 1_000;
// A list of 100,000 orders takes some minutes to place.
const timeout = isFull ? 1_800_000 : 180_000;
const STEPS = 200;
// Of each of three steps: their events are more than two pages.
const SOME_ATTEMPTS = 90;
// The answers of one order: 5 MB in all. An answer has at most 64 KiB of data.
const ANSWERS = 80;
const ANSWER_BYTES = 63_000;

// An input may take so many times as long as on a page of little data, and a task as long as so many plain tables of 5,000 rows.
const MAX_TIMES = 6;
const MAX_TABLES = 5;

const server = new Server();
let browser;
let table;
let stub;

before(async () => {
  const rows = [];
  for (let bytes = 0; bytes < ANSWER_BYTES; bytes += JSON.stringify(rows.at(-1)).length + 1) rows.push({ sku: `S${rows.length}`, name: "Queso Cabrales", quantity: rows.length % 40 });
  // Each of three steps has a third of the events: two for each attempt.
  const attempts = Math.ceil(EVENTS / 6);
  stub = await participant({
    large: () => [200, { rows }],
    retried: (attempt) => [attempt < attempts ? 429 : 200, {}],
    retriedSome: (attempt) => [attempt < SOME_ATTEMPTS ? 429 : 200, {}],
    small: () => [200, {}],
  });
  [browser] = await Promise.all([launch(), server.start()]);
  table = await unit(browser);
  console.log(`a plain table of 5,000 rows: ${table.toFixed(0)} ms`);
  await server.until("the samples rest", async () => (await server.state("sample-backordered")) === "WAITING");
});

after(async () => {
  await browser?.close();
  await server.remove();
  stub?.close();
});

const open = async () => measured(await pageOf(browser, server.base));

async function register(name, steps) {
  const text = `workflow: ${name}\nversion: 1\nparticipants: { stub: { url: '${stub.url}' } }\nsteps:\n${steps.map((step) => `  ${step}\n`).join("")}`;
  await server.post("/workflows", text, "application/yaml");
}

// Prints what was measured, and checks it against the page of little data.
function compare(what, small, large) {
  const slow = [];
  for (const [name, now] of Object.entries(large)) {
    const before = small[name] ?? small.load;
    const times = now.input / Math.max(before.input, 16);
    const tables = now.task / table;
    const shown = `shown after ${now.shown.toFixed(0)} (${before.shown.toFixed(0)})`;
    console.log(`${what}, ${name}: next frame after ${now.input.toFixed(0)} ms (${before.input.toFixed(0)}), ${shown}, longest task ${now.task.toFixed(0)} (${before.task.toFixed(0)})`);
    if (times > MAX_TIMES) slow.push(`${what}, ${name}: the next frame takes ${times.toFixed(1)} times as long`);
    if (tables > MAX_TABLES) slow.push(`${what}, ${name}: a task takes as long as ${tables.toFixed(1)} plain tables`);
  }
  assert.deepEqual(slow, []);
}

// What an operator does on the page of an order that has ended.
const onOrder = (step) => ({
  "choose a step": async (page) => {
    await page.getByRole("button", { name: new RegExp(`^${step} Completed`) }).click();
    await page.getByRole("region", { name: new RegExp(`^${step} `) }).getByRole("heading", { name: /^Attempt/ }).first().waitFor();
  },
  "close the step": (page) => page.getByRole("button", { name: "Close", exact: true }).click(),
  "one event earlier": async (page) => {
    await page.keyboard.press("[");
    await page.getByText(/^Event \d+ of/).waitFor();
  },
  "one event later": async (page) => {
    await page.keyboard.press("]");
    await page.getByText("Now", { exact: true }).waitFor();
  },
  "open an event": async (page) => {
    await page.locator("li summary").last().click();
    await page.getByText("Hash", { exact: true }).last().waitFor();
  },
});

async function ofOrder(id, events, step) {
  const page = await open();
  const shown = async () => {
    await page.getByRole("heading", { name: `Events ${events.toLocaleString("en")}`, exact: true }).waitFor();
    await page.getByText(/^the latest .* of /).waitFor({ state: "hidden" });
    await page.getByText("Live", { exact: true }).waitFor();
  };
  const figures = await measure(page, `/ui/orders/${id}`, shown, onOrder(step));
  await page.goto(`/ui/orders/${id}`);
  await shown();
  const bytes = await page.evaluate(() => performance.getEntriesByType("resource").reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0));
  await done(page);
  return { figures, bytes };
}

// What an operator does in the list of all orders.
const inList = {
  "next row": (page) => page.keyboard.press("j"),
  "select the row": (page) => page.keyboard.press("x"),
  "next page": (page) => turned(page, () => page.getByRole("link", { name: "Next" }).click()),
  "first page": (page) => turned(page, () => page.getByRole("link", { name: "First" }).click()),
  "sort by total": (page) => turned(page, () => page.getByRole("link", { name: "Total" }).click()),
  "only waiting orders": (page) => turned(page, () => page.getByRole("button", { name: "Waiting", exact: true }).click()),
  "choose a column": async (page) => {
    await page.getByText("Columns", { exact: true }).click();
    await page.getByRole("checkbox", { name: "Lines" }).click();
    await page.getByRole("columnheader", { name: "Lines" }).waitFor();
  },
};

// Waits until the list shows other rows than before.
async function turned(page, act) {
  const rows = () => page.getByRole("rowheader").allInnerTexts();
  const before = String(await rows());
  await act();
  await server.until("the list shows other orders", async () => String(await rows()) !== before);
}

async function ofList() {
  const page = await open();
  const shown = async () => {
    await page.getByRole("rowheader").nth(49).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
  };
  const figures = await measure(page, "/ui/orders", shown, inList);
  const others = [
    ["overview", "/", page.getByRole("heading", { name: "Participants" })],
    ["approvals", "/ui/approvals", page.getByRole("button", { name: /^Decide on/ }).first()],
    ["workflows", "/ui/workflows", page.getByRole("link", { name: "bulk" })],
  ];
  for (const [name, address, last] of others) figures[name] = (await measure(page, address, () => last.waitFor())).load;
  await done(page);
  return figures;
}

const chained = (name, action, count, retry = "") => Array.from({ length: count }, (_, n) => `${name}${n}: { ${n ? `after: [${name}${n - 1}], ` : ""}call: stub.${action}${retry} }`);
const AT_ONCE = ", retry: { attempts: 1000, initial: 1ms, factor: 1, max: 1ms }";

const eventsOf = async (id) => (await server.query("query($id: ID!) { order(id: $id) { revision } }", { id })).order.revision + 1;

test("an order with thousands of events, one with an answer of 5 MB, and one of 200 steps are as quick to read as a small one", { timeout }, async () => {
  await register("small", chained("s", "small", 3));
  await register("many-events", chained("s", "retried", 3, AT_ONCE));
  await register("large-answers", chained("s", "large", ANSWERS));
  // Layers of ten, each step after three of the layer before.
  const before = (n) => (n < 10 ? "" : `after: [${[0, 3, 7].map((by) => `s${10 * Math.floor(n / 10) - 10 + ((n + by) % 10)}`).join(", ")}], `);
  await register("many-steps", Array.from({ length: STEPS }, (_, n) => `s${n}: { ${before(n)}call: stub.small }`));
  const ids = ["small", "many-events", "large-answers", "many-steps"];
  for (const id of ids) await server.place({ orderId: id, workflow: id });
  for (const id of ids) await server.until(`${id} has ended`, async () => (await server.state(id)) === "COMPLETED", timeout / 2);

  const small = await ofOrder("small", await eventsOf("small"), "s1");
  for (const id of ids.slice(1)) {
    const events = await eventsOf(id);
    const large = await ofOrder(id, events, "s1");
    compare(`${id} (${events} events, ${(large.bytes / 1e6).toFixed(1)} MB)`, small.figures, large.figures);
    if (id === "many-events") assert.ok(events >= EVENTS, `${events} events`);
    if (id === "large-answers") assert.ok(large.bytes >= ANSWERS * ANSWER_BYTES, `${large.bytes} bytes`);
  }
});

test("the page of an order can be used while its earlier events are still on the way", { timeout }, async () => {
  await register("some-events", chained("s", "retriedSome", 3, AT_ONCE));
  await server.place({ orderId: "some-events", workflow: "some-events" });
  await server.until("the order has ended", async () => (await server.state("some-events")) === "COMPLETED", timeout / 2);
  const last = (await eventsOf("some-events")) - 1;
  const page = await open();
  let send;
  const held = new Promise((resolve) => (send = resolve));
  await page.route("**/graphql", async (route) => {
    if (route.request().postData()?.includes("EarlierEvents")) await held;
    await route.continue();
  });
  await page.goto("/ui/orders/some-events");
  await page.getByText(`the latest 200 of ${last + 1}`).waitFor();
  await page.getByRole("button", { name: /^s2 Completed/ }).click();
  await page.getByRole("region", { name: /^s2 / }).getByRole("heading", { name: `Attempt ${SOME_ATTEMPTS}` }).waitFor();
  await page.locator("li summary").last().click();
  await page.getByText("Hash", { exact: true }).last().waitFor();
  await page.keyboard.press("[");
  await page.getByText(`Event ${last - 1} of ${last}`).waitFor();
  // The page as of an event that is not loaded is there too, and its row follows.
  const slider = page.getByRole("slider", { name: "The order as of an event" });
  await slider.fill("1");
  await page.getByText(`Event 1 of ${last}`).waitFor();
  await page.getByRole("button", { name: /^s2 Not begun/ }).waitFor();
  assert.equal(await page.locator("li[aria-current=step]").count(), 0, "earlier events are held back");
  send();
  await page.locator("li[aria-current=step]").waitFor();
  await page.getByText(/^the latest .* of /).waitFor({ state: "hidden" });
  assert.equal(await slider.inputValue(), "1");
  await page.getByText("Back to now").click();
  await page.getByRole("button", { name: "Earlier", exact: true }).click();
  await page.getByText(`Events ${last - 399} to ${last - 200}`).waitFor();
  await done(page);
});

test("a list of very many orders is as quick to use as one of few", { timeout }, async () => {
  const steps = "steps:\n  approve: { await: approval, timeout: 2d, when: \"order.total == '2.00'\" }\n";
  await server.post("/workflows", `workflow: bulk\nversion: 1\nparticipants: {}\n${steps}`, "application/yaml");
  const order = (prefix) => (number) => ({
    orderId: `${prefix}-${number}`,
    workflow: "bulk",
    customer: { id: `C${number % 91}` },
    // One of ten waits for a person.
    lines: [{ sku: `S${number % 500}`, name: "Chai", quantity: 1, unitPrice: number % 10 === 0 ? "2.00" : `${3 + (number % 900)}.00` }],
  });
  await placeMany(server, 120, order("few"));
  const few = await ofList();
  await placeMany(server, ORDERS, order("many"));
  await server.until("every order is in the views", async () => {
    const { overview } = await server.query("{ overview { byState { count } } }");
    return overview.byState.reduce((sum, { count }) => sum + count, 0) > ORDERS;
  }, timeout / 2);
  compare(`the list of ${ORDERS} orders`, few, await ofList());
});
