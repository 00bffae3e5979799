// What operators do with the console, in a browser, against the real binary.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NARROW, WIDE, done, launch, pageOf, picture, violations } from "./browser.mjs";
import { Server } from "./server.mjs";

const server = new Server();
let browser;

before(async () => {
  [browser] = await Promise.all([launch(), server.start()]);
  await server.until("the samples rest", async () => (await server.state("sample-canceled")) === "CANCELED" && (await server.state("sample-backordered")) === "WAITING");
});

after(async () => {
  await browser?.close();
  await server.remove();
});

const open = (options) => pageOf(browser, server.base, options);
const live = (page) => page.getByText("Live", { exact: true }).waitFor();

test("a newcomer sees the sample orders, restocks, and sees the back-ordered one ship", async () => {
  const page = await open();
  await page.goto("/");
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  await page.getByRole("link", { name: "sample-shipped" }).waitFor();
  await page.getByRole("link", { name: "sample-canceled" }).waitFor();
  await page.getByRole("link", { name: "sample-backordered" }).click();
  await page.getByRole("heading", { name: "sample-backordered" }).waitFor();
  await live(page);
  await page.getByRole("button", { name: /^record-shipped Not begun/ }).waitFor();
  await page.getByRole("button", { name: "Restock" }).click();
  await page.getByRole("button", { name: /^notify-shipped Completed/ }).waitFor();
  assert.equal(await server.state("sample-backordered"), "COMPLETED");
  assert.equal(await page.getByRole("button", { name: "Restock" }).count(), 0);
  await done(page);
});

test("an operator pauses an order with a reason, and another operator sees it and is refused when too late", async () => {
  const id = await server.place({ orderId: "two-operators" }, "WAITING");
  const [ann, bob] = [await open(), await open()];
  for (const page of [ann, bob]) {
    await page.goto(`/ui/orders/${id}`);
    await live(page);
    await page.getByRole("button", { name: "Pause…" }).click();
  }
  const submit = (page) => page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true });
  assert.ok(await submit(ann).isDisabled(), "a reason must be given");
  await ann.getByLabel("Reason").fill("the customer asked us to wait");
  await ann.getByLabel("Your name").fill("ann");
  await submit(ann).click();
  await ann.getByText("Recorded.").waitFor();
  await ann.getByRole("dialog").getByText("Paused", { exact: true }).waitFor();
  // Bob's page shows it without being asked, and his own attempt is refused with the state.
  await bob.getByText("the customer asked us to wait").waitFor();
  await bob.getByLabel("Reason").fill("me too");
  await submit(bob).click();
  await bob.getByRole("alert").getByText("it is now Paused").waitFor();
  const { order } = await server.query("query($id: ID!) { order(id: $id) { timeline(last: 1) { nodes { actor reason } } } }", { id });
  assert.deepEqual(order.timeline.nodes, [{ actor: "ann", reason: "the customer asked us to wait" }]);
  await done(ann);
  await done(bob);
});

test("an operator leaves a note on an order, and everyone who opens the order reads it", async () => {
  const id = await server.place({ orderId: "with-note" }, "WAITING");
  const page = await open();
  await page.goto(`/ui/orders/${id}`);
  await page.getByRole("button", { name: "Note…" }).click();
  await page.getByRole("dialog").getByLabel("Note").fill("their warehouse promises <b>Friday</b>");
  await page.getByRole("dialog").getByLabel("Your name").fill("ann");
  await page.getByRole("dialog").getByRole("button", { name: "Note", exact: true }).click();
  await page.getByText("Recorded.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  const other = await open();
  await other.goto(`/ui/orders/${id}`);
  const notes = other.getByRole("region", { name: "Notes" });
  await notes.getByText("their warehouse promises <b>Friday</b>").waitFor();
  await notes.getByText(/^ann,/).waitFor();
  await done(page);
  await done(other);
});

test("an operator answers a step that waits for a person", async () => {
  const workflow = "workflow: approved\nversion: 1\nparticipants: {}\nsteps:\n  approve: { await: approval, timeout: 2d, outcomes: [approved, rejected], compensate-on: [rejected], sets-status: Approved }\n";
  await server.post("/workflows", workflow, "application/yaml");
  const id = await server.place({ orderId: "large", workflow: "approved" }, "WAITING");
  const page = await open();
  await page.goto(`/ui/orders/${id}`);
  await page.getByRole("button", { name: "Decide…" }).click();
  await page.getByRole("dialog").getByLabel("Outcome").fill("approved");
  await page.getByRole("dialog").getByLabel("Data").fill("{ no json");
  await page.getByText("This is not JSON").waitFor();
  await page.getByRole("dialog").getByLabel("Data").fill('{ "limit": 900 }');
  await page.getByRole("dialog").getByLabel("Reason").fill("a known customer");
  await page.getByRole("dialog").getByRole("button", { name: "Answer", exact: true }).click();
  await page.getByText("Recorded.").waitFor();
  await page.getByRole("dialog").getByText("Completed", { exact: true }).waitFor();
  await done(page);
});

test("a link shows the whole page as of an event, and the keys and the slider move through the order's life", async () => {
  const page = await open();
  await page.goto("/ui/orders/sample-canceled?at=3");
  await page.getByText("Event 3 of").waitFor();
  await page.getByRole("button", { name: /^charge Running/ }).waitFor();
  await page.getByRole("button", { name: /^ship Not begun/ }).waitFor();
  assert.equal(await page.getByRole("group", { name: "Operations" }).count(), 0, "the past cannot be changed");
  await page.keyboard.press("]");
  await page.getByRole("button", { name: /^charge Completed/ }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("at"), "4");
  await page.getByRole("slider").press("End");
  await page.getByText("Now", { exact: true }).waitFor();
  await page.getByRole("button", { name: /^charge Undone/ }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("at"), null);
  await page.getByRole("button", { name: /^charge Undone/ }).click();
  const step = page.getByRole("region", { name: /charge/ });
  await step.getByText("refunded").first().waitFor();
  await step.getByRole("heading", { name: /Attempt 1/ }).waitFor();
  await done(page);
});

test("the list keeps its rows in their places while orders change, and shows new ones when asked", async () => {
  const first = await server.place({ orderId: "still-1", customer: { id: "STILL" } }, "WAITING");
  const page = await open();
  await page.goto("/ui/orders?customer=STILL");
  await live(page);
  const rows = page.getByRole("rowheader");
  await rows.first().waitFor();
  await server.post(`/orders/${first}/pause`, { reason: "to see it change" });
  await page.getByRole("row", { name: /still-1/ }).getByText("Paused").waitFor();
  await server.place({ orderId: "still-2", customer: { id: "STILL" } }, "WAITING");
  await page.getByRole("button", { name: "Show 1 new order" }).waitFor();
  assert.deepEqual(await rows.allInnerTexts(), ["still-1"]);
  await page.getByRole("button", { name: "Show 1 new order" }).click();
  assert.deepEqual(await rows.allInnerTexts(), ["still-2", "still-1"]);
  await done(page);
});

test("the overview shows how orders ended, and how many stood where at a moment that the address names", async () => {
  const page = await open();
  await page.goto("/");
  const ends = page.getByRole("region", { name: "Time to end, by workflow" });
  await ends.getByRole("row", { name: /^order-fulfilment \d/ }).waitFor();
  await page.getByLabel("Time range").selectOption({ label: "last hour" });
  assert.equal(new URL(page.url()).searchParams.get("ended"), "1h");
  const { order } = await server.query('{ order(id: "sample-canceled") { placedAt endedAt } }');
  const standing = async (moment) => {
    await page.goto(`/?asOf=${encodeURIComponent(moment)}`);
    const states = page.getByRole("region", { name: "By state" });
    await states.waitFor();
    return states.getByRole("listitem").filter({ hasText: "Canceled" }).innerText();
  };
  const shifted = (moment, ms) => new Date(Date.parse(moment) + ms).toISOString();
  assert.match(await standing(shifted(order.placedAt, -600_000)), /Canceled\s+0/);
  await page.getByText("0 orders").waitFor();
  assert.match(await standing(shifted(order.endedAt, 1000)), /Canceled\s+1/);
  await page.getByRole("button", { name: "Now" }).click();
  await page.getByRole("heading", { name: "Placed, by hour" }).waitFor();
  assert.equal(new URL(page.url()).search, "");
  await page.goto("/?asOf=yesterday");
  await page.getByText("“yesterday” is not a moment").waitFor();
  await done(page);
});

test("the participants' page shows how they answered, by step", async () => {
  const page = await open();
  await page.goto("/ui/participants");
  const calls = page.getByRole("region", { name: "Calls, by participant, step and action" });
  const charge = calls.getByRole("row", { name: /payments charge charge/ });
  await charge.waitFor();
  assert.match(await charge.innerText(), /\d+ m?s/);
  await calls.getByRole("row", { name: /shipping ship ship/ }).waitFor();
  const [range, title] = await Promise.all([page.getByLabel("Time range"), page.getByRole("heading", { name: "Calls" })].map((part) => part.boundingBox()));
  assert.ok(range.y < title.y + title.height, "the time range stands next to the title");
  await done(page);
});

test("conditions are in the address, and are found, combined and removed on the page", async () => {
  const page = await open();
  await page.goto("/ui/orders");
  await page.getByRole("button", { name: "Canceled" }).click();
  await page.getByRole("link", { name: "sample-canceled" }).waitFor();
  await page.getByText("All conditions").click();
  await page.getByLabel("SKU", { exact: true }).fill("tea");
  await page.getByLabel("Placed since").fill("-24h");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("24 h ago").waitFor();
  assert.deepEqual([...new URL(page.url()).searchParams].sort(), [["placedFrom", "-24h"], ["sku", "tea"], ["state", "CANCELED"]]);
  await page.getByRole("link", { name: "sample-canceled" }).waitFor();
  assert.equal(await page.getByRole("rowheader").count(), 1);
  await page.goto("/ui/orders?sku=no-such-sku");
  await page.getByText("No order matches").waitFor();
  await page.getByRole("button", { name: "Remove SKU no-such-sku" }).click();
  await page.getByRole("link", { name: "sample-canceled" }).waitFor();
  await page.goto("/ui/orders?minLines=many");
  await page.getByRole("alert").getByText("cannot be used as a condition").waitFor();
  await page.goto("/ui/orders");
  await page.getByRole("searchbox").fill("sample-shipped");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "sample-shipped" }).waitFor();
  await done(page);
});

test("all orders that match are paused together, by keyboard alone, with a line for each", async () => {
  const ids = ["many-1", "many-2", "many-3"];
  for (const orderId of ids) await server.place({ orderId, customer: { id: "MANY" } }, "WAITING");
  await server.post("/orders/many-2/pause", { reason: "earlier" });
  const page = await open();
  await page.goto("/ui/orders?customer=MANY");
  await page.getByLabel("Select all of this page").press("Space");
  await page.getByRole("button", { name: "Pause…" }).press("Enter");
  await page.getByRole("dialog").getByText("3 orders will get this").waitFor();
  await page.getByRole("dialog").getByLabel("Reason").pressSequentially("recount");
  await page.keyboard.press("Enter");
  await page.getByText("Every order was reported.").waitFor();
  for (const id of ids) assert.equal(await server.state(id), "PAUSED");
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await done(page);
});

test("a filter is saved under a name, opened, renamed, exported as a link and deleted", async () => {
  const page = await open();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/ui/orders?state=CANCELED&sku=tea&columns=total");
  await page.getByRole("button", { name: "Save view…" }).click();
  const dialog = page.getByRole("dialog", { name: "Saved views" });
  await dialog.getByLabel("Name for the conditions").fill("Canceled tea");
  await page.keyboard.press("Enter");
  await dialog.getByText("“Canceled tea” is saved.").waitFor();
  await dialog.getByRole("button", { name: "Copy all links" }).click();
  const link = `${server.base}/ui/orders?state=CANCELED&sku=tea&columns=total`;
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `Canceled tea: ${link}`);
  await page.keyboard.press("Escape");
  await page.goto("/ui/orders");
  const views = page.getByRole("navigation", { name: "Saved views" });
  assert.equal(await views.getByRole("link", { name: "Canceled tea" }).getAttribute("aria-current"), null);
  await views.getByRole("link", { name: "Canceled tea" }).click();
  await page.getByRole("rowheader", { name: "sample-canceled" }).waitFor();
  assert.equal(page.url(), link);
  assert.equal(await views.getByRole("link", { name: "Canceled tea" }).getAttribute("aria-current"), "page");
  await page.getByRole("button", { name: "Manage views…" }).click();
  await dialog.getByLabel("Name of “Canceled tea”").fill("No tea");
  await page.keyboard.press("Tab");
  await dialog.getByRole("button", { name: "Copy the link of “No tea”" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  await dialog.getByLabel("Name for the conditions").fill("Other");
  await page.keyboard.press("Enter");
  await dialog.getByLabel("Name of “Other”").fill("No tea");
  await page.keyboard.press("Tab");
  await dialog.getByText("Another view has this name.").waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole("button", { name: "Delete “Other”" }).click();
  await page.reload();
  await views.getByRole("link", { name: "No tea" }).waitFor();
  assert.equal(await views.getByRole("link").count(), 1, "views are kept in this browser");
  await page.getByRole("button", { name: "Manage views…" }).click();
  await dialog.getByRole("button", { name: "Delete “No tea”" }).click();
  await views.waitFor({ state: "detached" });
  await done(page);
});

test("what differs between two attempts at a step is shown, and is a link", async () => {
  await server.post("/participants/faults", [{ participant: "payments", action: "charge", respond: { status: 503, detail: "the till is closed" }, times: 1 }]);
  await server.place({ orderId: "tried-twice" }, "WAITING");
  const page = await open();
  await page.goto("/ui/orders/tried-twice?step=charge");
  await page.getByRole("button", { name: "Compare with attempt 1" }).click();
  const compared = page.getByRole("group", { name: "Attempt 2 against attempt 1" });
  await compared.getByText("The input is the same").waitFor();
  const answers = compared.getByRole("region", { name: "Difference of the answers" });
  await answers.getByRole("row", { name: /removed.*the till is closed/ }).waitFor();
  await answers.getByRole("row", { name: /added.*"outcome"/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  await page.reload();
  await compared.waitFor();
  await page.getByRole("button", { name: "Compare with attempt 1" }).click();
  await compared.waitFor({ state: "detached" });
  assert.equal(new URL(page.url()).searchParams.get("compare"), null);
  await done(page);
});

test("the search does what the page in view offers, and changes the theme, by keyboard alone", async () => {
  await server.place({ orderId: "by-search" }, "WAITING");
  const page = await open();
  await page.goto("/ui/orders/by-search");
  await page.getByRole("button", { name: "Pause…" }).waitFor();
  await page.keyboard.press("/");
  const found = page.getByRole("listbox", { name: "Search and act" });
  await found.getByRole("option", { name: "Cancel order…" }).waitFor();
  await page.keyboard.type("pau");
  assert.equal(await found.getByRole("option", { selected: true }).innerText(), "Pause…");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Pause order by-search" }).waitFor();
  await page.keyboard.type("found by searching");
  await page.keyboard.press("Enter");
  await page.getByText("Recorded.").waitFor();
  await server.until("by-search is PAUSED", async () => (await server.state("by-search")) === "PAUSED");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await found.getByRole("option", { name: "Resume…" }).waitFor();
  assert.equal(await found.getByRole("option", { name: "Pause…" }).count(), 0, "the state does not allow it any more");
  await page.keyboard.type("dark");
  await page.keyboard.press("Enter");
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  assert.equal(await background(), "rgb(15, 17, 22)");
  await page.reload();
  await page.getByRole("heading", { name: "by-search" }).waitFor();
  assert.equal(await background(), "rgb(15, 17, 22)", "the theme is kept in this browser");
  await page.keyboard.press("Control+k");
  assert.deepEqual(await violations(page), []);
  await page.keyboard.type("system");
  await page.keyboard.press("Enter");
  assert.equal(await background(), "rgb(251, 251, 252)");
  await page.keyboard.press("/");
  await page.keyboard.type("stuck late");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Stuck and late" }).waitFor();
  await page.keyboard.press("/");
  await found.getByRole("option", { name: "Page Overview" }).waitFor();
  assert.equal(await found.getByRole("option", { name: "Resume…" }).count(), 0, "another page offers other actions");
  await done(page);
});

test("the keyboard goes to pages, to orders and through rows", async () => {
  const page = await open();
  await page.goto("/");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.getByRole("heading", { name: "Orders" }).waitFor();
  await page.getByRole("rowheader").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const second = await page.getByRole("rowheader").nth(1).innerText();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: second }).waitFor();
  await page.keyboard.press("/");
  await page.getByRole("combobox").fill("sample-shipped");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "sample-shipped" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor();
  await done(page);
});

const PAGES = ["/", "/ui/orders", "/ui/orders?state=STUCK", "/ui/orders/hostile?step=charge", "/ui/orders/no-such-order", "/ui/no/such/page", "/ui/stuck", "/ui/approvals", "/ui/workflows", "/ui/workflows/no-such-workflow", "/ui/participants", "/ui/audit"];
const HOSTILE = `<img src=x onerror="alert(1)"><script>alert(2)</script> \u05d0\u05d1 ${"x".repeat(10_000)} \u{1f469}\u200d\u{1f680}`;

test("texts of others are only ever texts, on every page", async () => {
  const customer = { id: "<b>C&1</b>", name: HOSTILE.slice(0, 190), email: "a@b.example" };
  const attributes = { "<script>": HOSTILE };
  await server.place({ orderId: "hostile", customer, attributes, lines: [{ sku: "<i>sku", name: HOSTILE.slice(0, 190), quantity: 1, unitPrice: "1.00" }] }, "WAITING");
  await server.post("/orders/hostile/pause", { reason: HOSTILE.slice(0, 190), actor: "<u>ann" });
  for (const viewport of [WIDE, NARROW]) {
    const page = await open({ viewport });
    for (const address of [...PAGES, `/ui/orders?${new URLSearchParams({ customer: customer.id, attribute: HOSTILE.slice(0, 500) })}`]) {
      await page.goto(address);
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `${address} is ${overflow} px too wide at ${viewport.width}`);
      assert.equal(await page.locator("main img, main b, main i, main u, main script").count(), 0, address);
    }
    await page.goto("/ui/orders/hostile");
    await page.getByText("1 line, 1 piece").click();
    await page.getByRole("group", { name: "Attributes" }).getByText('"<script>"').waitFor();
    await page.getByRole("button", { name: /Show name and address/ }).click();
    await page.getByText("<img src=x").first().waitFor();
    await done(page);
  }
});

test("no page violates WCAG 2.2 AA, wide and narrow, light and dark", async () => {
  const found = [];
  for (const [colorScheme, viewport] of [["light", WIDE], ["dark", NARROW]]) {
    const page = await open({ colorScheme, viewport });
    const check = async (what) => found.push(...(await violations(page)).map((violation) => `${colorScheme} ${what}: ${violation}`));
    for (const address of [...PAGES, "/ui/orders/sample-canceled?at=9&step=charge", "/ui/orders?customer=MANY"]) {
      await page.goto(address);
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      await page.waitForLoadState("load");
      await check(address);
    }
    await page.goto("/ui/orders?customer=MANY");
    await page.getByText("All conditions").click();
    await page.getByText("Columns").click();
    await page.getByLabel("Select all of this page").click();
    await check("the list with everything open");
    await page.getByRole("button", { name: "Skip…", exact: true }).or(page.getByRole("button", { name: "Skip step…" })).click();
    await check("the dialog of a batch");
    await page.goto("/ui/orders/hostile");
    await page.getByRole("button", { name: "Skip step…" }).click();
    await check("the dialog of an operation");
    await page.keyboard.press("Escape");
    await page.locator("summary").nth(1).click();
    await check("an open event");
    await done(page);
  }
  assert.deepEqual(found, []);
});

test("the pictures of the book are made", { skip: !process.env.UPDATE_SCREENSHOTS }, async () => {
  const pictures = [
    ["overview", "/", (page) => page.getByRole("heading", { name: "Participants" })],
    ["orders", "/ui/orders", (page) => page.getByRole("rowheader").first()],
    ["order", "/ui/orders/sample-canceled", (page) => page.getByRole("heading", { name: "Events" })],
    ["past", "/ui/orders/sample-canceled?at=9&step=charge", (page) => page.getByRole("heading", { name: "Events" })],
  ];
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of [["wide", WIDE], ["narrow", NARROW]]) {
      const page = await open({ colorScheme, viewport });
      for (const [name, address, shown] of pictures) {
        await page.goto(address);
        await live(page);
        await shown(page).waitFor();
        await picture(page, `${name}-${colorScheme}-${size}`);
      }
      await done(page);
    }
  }
});

test("a lost connection is shown, and the page is up to date when it is back", async () => {
  const page = await open();
  await page.goto("/ui/orders/sample-shipped");
  await live(page);
  await server.stop();
  await page.getByText("Connection lost").first().waitFor();
  await server.start(new URL(server.base).host);
  await page.getByText("Connection regained").waitFor({ timeout: 60_000 });
  await live(page);
  await done(page);
});
