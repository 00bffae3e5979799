// What another text would have done with past orders and under every fault, in a browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NARROW, WIDE, done, launch, pageOf, picture, violations } from "./browser.mjs";
import { Server } from "./server.mjs";

const server = new Server();
let browser;
let withoutBackorder;

const sourceOf = async (name) => (await server.query("query($name: String!) { workflow(name: $name) { source } }", { name })).workflow.source;

before(async () => {
  [browser] = await Promise.all([launch(), server.start()]);
  await server.until("the sample orders have come to rest", async () => {
    const states = await Promise.all(["sample-shipped", "sample-backordered", "sample-canceled"].map((id) => server.state(id)));
    return states.join() === "COMPLETED,WAITING,CANCELED";
  });
  withoutBackorder = await sourceOf("order-fulfilment-without-backorder");
});

after(async () => {
  await browser?.close();
  await server.remove();
});

const open = (options) => pageOf(browser, server.base, options);

// The page with another text, which was tried on the orders of order-fulfilment.
async function tried(page) {
  await page.goto("/ui/workflows/order-fulfilment");
  await page.getByRole("link", { name: "What if" }).click();
  await page.getByRole("textbox", { name: "Workflow file" }).fill(withoutBackorder);
  await page.getByRole("button", { name: "Try on past orders" }).click();
}

test("an author sees which past orders another text would change, on the graph, side by side and in money", async () => {
  const page = await open();
  await tried(page);
  await page.getByText(/^(One order was|\d+ orders were) tried\.$/).waitFor();
  assert.match(await page.getByText("Differ", { exact: true }).locator("..").innerText(), /\b1 /);
  await page.getByRole("button", { name: /^ship\s*1 differ/ }).waitFor();
  const means = page.getByRole("region", { name: "What it means" });
  await means.getByRole("row", { name: /^BackOrdered Waiting Placed Waiting 1 900\.00 GBP$/ }).waitFor();
  const example = page.getByRole("row", { name: /sample-backordered/ });
  await example.getByRole("cell").nth(0).getByText(/backordered/).first().waitFor();
  await example.getByRole("link", { name: "sample-backordered" }).click();
  await page.getByRole("heading", { name: /sample-backordered/ }).waitFor();
  assert.equal(await server.state("sample-backordered"), "WAITING", "nothing happened to the order");
  await done(page);
});

test("conditions choose the orders, and the text that is tried stays", async () => {
  const page = await open();
  await tried(page);
  await page.getByRole("button", { name: "Completed", exact: true }).click();
  await page.getByRole("button", { name: "Try on past orders" }).click();
  await page.getByText("One order was tried.").waitFor();
  assert.match(page.url(), /state=COMPLETED/);
  assert.equal(await page.getByRole("textbox", { name: "Workflow file" }).inputValue(), withoutBackorder);
  await page.getByRole("button", { name: /^Back to the registered/ }).click();
  assert.notEqual(await page.getByRole("textbox", { name: "Workflow file" }).inputValue(), withoutBackorder);
  await done(page);
});

test("a text with a fault is not tried, and the fault is shown at its line", async () => {
  const page = await open();
  await page.goto("/ui/workflows/order-parallel?view=whatif");
  const editor = page.getByRole("textbox", { name: "Workflow file" });
  const text = await editor.inputValue();
  const line = text.split("\n").findIndex((one) => one.includes("payments.charge")) + 1;
  await editor.fill(text.replace("payments.charge", "absent.charge"));
  await page.getByRole("button", { name: "Try on past orders" }).click();
  await page.getByRole("button", { name: new RegExp(`^Line ${line}, column`) }).waitFor();
  await editor.fill(text);
  await page.getByRole("button", { name: /^Line/ }).waitFor({ state: "detached" });
  await done(page);
});

test("a version passes every fault, and a text that does not shows its cases", async () => {
  const page = await open();
  await page.goto("/ui/workflows/order-parallel");
  await page.getByRole("link", { name: "Faults" }).click();
  await page.getByRole("button", { name: "Try against every fault" }).click();
  await page.getByRole("progressbar", { name: "Progress" }).waitFor();
  await page.getByText("Every case ends right").waitFor({ timeout: 60_000 });
  await page.getByRole("row", { name: /^an action fails for good \d+ \d+ 0$/ }).waitFor();
  await page.getByRole("link", { name: "What if" }).click();
  await page.getByRole("textbox", { name: "Workflow file" }).fill("workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps:\n  a: { call: p.a }\n  b: { after: [a], call: p.b, when: steps.a.data.score > 5 }\n");
  await page.getByRole("button", { name: "Try against every fault" }).click();
  await page.getByText(/[\d,]+ end wrong$/).waitFor();
  await page.getByText("all as planned", { exact: true }).click();
  await page.getByText(/`when` has no answer/).first().waitFor();
  await done(page);
});

test("a test that takes long is stopped, and another one begins", async () => {
  const page = await open();
  const steps = Array.from({ length: 100 }, (_, step) => `  s${step}: { ${step > 0 ? `after: [s${step - 1}], ` : ""}call: p.a, undo: p.b }`);
  await page.goto("/ui/workflows/order-parallel?view=whatif");
  await page.getByRole("textbox", { name: "Workflow file" }).fill(`workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps:\n${steps.join("\n")}\n`);
  await page.getByRole("button", { name: "Try against every fault" }).click();
  await page.getByText(/^\d+ %\. [\d,]+ cases\.$/).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText(/^You stopped it\./).waitFor();
  await page.getByRole("button", { name: "Back to the registered text" }).click();
  await page.getByRole("button", { name: "Try against every fault" }).click();
  await page.getByText("Every case ends right").waitFor({ timeout: 60_000 });
  await done(page);
});

test("the difference of two versions is drawn on the graph, and a step shows its lines", async () => {
  const version = (number, steps) => `workflow: drawn\nversion: ${number}\nparticipants: { p: { url: 'http://p' } }\nsteps:\n${steps}`;
  await server.post("/workflows", version(1, "  a: { call: p.a } # first\n  b: { after: [a], call: p.b }\n  c: { after: [b], call: p.c }\n"), "application/yaml");
  await server.post("/workflows", version(2, "  a: { call: p.a }\n  b:\n    after: [a]\n    call: p.z\n  d: { after: [b], call: p.d }\n"), "application/yaml");
  const page = await open();
  await page.goto("/ui/workflows/drawn");
  await page.getByRole("link", { name: "Difference" }).click();
  await page.getByText("Steps: 1 added, 1 removed, 1 changed.").waitFor();
  for (const name of [/^b\s*changed$/, /^c\s*removed$/, /^d\s*added$/, /^a$/]) await page.getByRole("button", { name }).waitFor();
  await page.getByRole("button", { name: /^b\s*changed$/ }).click();
  await page.getByText("Lines of b").waitFor();
  await page.getByRole("row", { name: /added call: p\.z/ }).waitFor();
  assert.equal(await page.getByRole("row", { name: /version/ }).count(), 0);
  await page.getByRole("button", { name: "Show the whole text" }).click();
  await page.getByRole("row", { name: /added version: 2/ }).waitFor();
  await done(page);
});

test("the pages have no violation of WCAG 2.2 AA, in both themes and sizes, and do not scroll sideways", async () => {
  for (const viewport of [WIDE, NARROW]) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport, colorScheme });
      const size = viewport === WIDE ? "wide" : "narrow";
      const check = async (name) => {
        assert.deepEqual(await violations(page), [], `${name}, ${size}, ${colorScheme}`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${name}, ${size}: ${over} pixels too wide`);
      };
      await tried(page);
      await page.getByRole("button", { name: /^ship\s*1 differ/ }).waitFor();
      await check("what-if");
      await page.getByRole("region", { name: "What it means" }).scrollIntoViewIfNeeded();
      await page.evaluate(() => document.querySelector("[aria-label='What it means']").scrollIntoView());
      await picture(page, `what-if-${colorScheme}-${size}`);
      await page.goto("/ui/workflows/drawn?view=difference");
      await page.getByText("Steps: 1 added, 1 removed, 1 changed.").waitFor();
      await check("difference");
      await page.getByRole("link", { name: "Faults" }).click();
      await page.getByRole("button", { name: "Try against every fault" }).click();
      await page.getByText("Every case ends right").waitFor({ timeout: 60_000 });
      await check("faults");
      await done(page);
    }
  }
});
